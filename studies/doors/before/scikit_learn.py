"""A classifier in a scikit-learn pipeline under cross-validation."""

from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = load_wine(return_X_y=True)
network = MLPClassifier((32,), max_iter=200, batch_size=16, random_state=0)
pipeline = make_pipeline(StandardScaler(), network)

print("accuracy", cross_val_score(pipeline, X, y, cv=3).round(3))
pipeline.fit(X, y)
print(network.n_iter_, "epochs")
