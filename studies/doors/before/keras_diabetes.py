"""A regression net in Keras on its torch backend."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale


def build_model():
    model = keras.Sequential(
        [keras.Input((10,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(1)]
    )
    model.compile(optimizer="adam", loss="mse")
    return model


X, y = load_diabetes(return_X_y=True)
X, y = scale(X).astype("float32"), scale(y)[:, None].astype("float32")

model = build_model()
model.fit(X, y, validation_split=0.2, epochs=6, verbose=0)
print(model.history.history["val_loss"][-1])
