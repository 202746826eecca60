"""A classifier in a scikit-learn pipeline under cross-validation."""

from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from autoopt import AutoOptClassifier

X, y = load_wine(return_X_y=True)
network = AutoOptClassifier(hidden=(32,), budget=8, epochs=10, batch_size=16, random_state=0)
pipeline = make_pipeline(StandardScaler(), network)

print("accuracy", cross_val_score(pipeline, X, y, cv=3).round(3))
pipeline.fit(X, y)
print(network.recommendation_)
