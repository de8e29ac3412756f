"""Training and prediction loops on Lightning Fabric, without Kedro."""
