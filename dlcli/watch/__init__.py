"""Who else listens to a training: TensorBoard and MLflow."""
