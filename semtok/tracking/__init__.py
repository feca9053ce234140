"""MLflow: runs, registered models, promotion, serving, lineage. Nothing else imports mlflow."""
