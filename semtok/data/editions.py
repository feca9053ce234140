"""Editions of official files of benchmarks, by checksum.

SugarCrepe's makers have published three: of 6 June 2023, of 23 June 2023 (after false negatives
were filtered out) and of 18 November 2023 (one row less in `swap_obj`); VSR's two: of 2 May 2022
(10,118 rows) and of 22 March 2023 (10,972 rows, validated by more people).
"""

#: File -> SHA-256 of the edition that its makers publish now.
CURRENT = {
    f"sugar_crepe/{subset}.json": checksum
    for subset, checksum in {
        "add_att": "012d88d729693d193760e6f3393b06a1cf874380a9db0062e937201199fe044d",
        "add_obj": "1b9d76b93139a937b8dc1ada92a4f05ecc821bb3c291d752428bafadd4bb0682",
        "replace_att": "9fe55fd4c0a9ad1f85d486d9f6d0215b41f867eb025026e7f7b5ce44352545ee",
        "replace_obj": "9d299600639947e9d15281a9ded1382b376cf4ea088a8d08a1314bfe76e81898",
        "replace_rel": "356bcc2fc4c6aed3f4d9fd50acc58489bb1fe70c28791f9368d4cbf9ea39cdc9",
        "swap_att": "7a7ce04e5c4c80412b48c6f0c1347fb1a2f5d54c0be6aa429b64d390e442f8d0",
        "swap_obj": "073cdb8e253d053614e80710834d9773b09dbc1dd0a412f6f9492262caa1dcad",
    }.items()
} | {
    "vsr/all_vsr_validated_data.jsonl": (
        "096251a50060c63b242e074697d835acd0e7d5c97eedaeeccf08301982f1252e"
    ),
}

#: SHA-256 of earlier editions. The first one called objects entities (`add_ent.json`).
SUPERSEDED = {
    "dcd9872ade508624ee62ada324adcfaff71c32227984ff4ad3d6d6094affbd1d",  # add_att
    "a95b4cb14541d4e86ba2bdb159b9748b5f4a98e213fcd5a534f0ced6b93d50af",  # add_ent
    "6f67b359cae4c41d1245a74f8cc793e64b9afe0b15b8e006e03116b5c462984f",  # replace_att
    "6f5840e5e8acb3c05420ea8c5379e39d93259b970ffcda80b97aca59b976a29a",  # replace_ent
    "abac1c89b76e9859513a93857eb055c302c53fbb48dc80d6647dea1b9935cd7c",  # replace_rel
    "4da73ca0ce61804300bb2a4cf85ecf55f5e1ce7f31a6e0122fbe25c30380a4e1",  # swap_att
    "0b9db4e3196ee8a00ffc21127bda3d315cac257124723a4e1bccd2a20e30792f",  # swap_ent
    "15624c2460f5c10e8720fca0f1c27ddd61998b3b8b10998ff007cd84ea8fd31a",  # swap_obj, second edition
    "5aabd3878dbe4c65ce589ff4936b442ab7e89ea8912e7f944ac914339c0e11a4",  # all_vsr_validated_data
}
