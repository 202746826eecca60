"""A Keras model on its torch backend: the regression net of D4, 10 inputs → 64 relu → 1, on the diabetes data."""

import os

os.environ["KERAS_BACKEND"] = (
    "torch"  # before Keras is imported: no other backend has gradients that torch sees
)

import keras


def model():
    return keras.Sequential(
        [keras.Input((10,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(1)]
    )


def train_data():
    from sklearn.datasets import load_diabetes
    from sklearn.preprocessing import StandardScaler

    X, y = load_diabetes(return_X_y=True)  # 442 patients: ten measurements, and how the disease went on
    rows = slice(0, 342)
    inputs, target = StandardScaler().fit(X[rows]), StandardScaler().fit(y[rows, None])
    return inputs.transform(X[rows]), target.transform(y[rows, None])


loss = "mse_loss"
epochs = 30
batch_size = 32
