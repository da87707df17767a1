"""The recipe of the Keras guide to transfer learning, with the backbone and the weights of dlcli:
`image_dataset_from_directory`, ten epochs of a new classifier on the frozen body (Adam, 1e-3, flips
and small turns), then ten epochs of all layers at 1e-5, the body in inference mode.

Prints a line of JSON an epoch, {"seconds": since the process began, "val_accuracy": ...}, and at
the end {"accuracy": on the third folder}.

python keras_guide.py TRAIN VAL TEST|- SEED
"""

from __future__ import annotations

import json
import sys
import time

BEGAN = time.time()

from typing import Any  # noqa: E402

from dlcli import backend  # noqa: E402

SIZE, BATCH, EPOCHS = (224, 224), 32, 10


def main(train_folder: str, val_folder: str, test_folder: str, seed: int) -> None:
    """Trains, and says what is reached when."""
    backend.prepare(seed=seed, device="cpu")
    from dlcli.backend import keras
    from dlcli.models.model import load_body

    def dataset(folder: str, *, shuffle: bool) -> Any:
        return keras.utils.image_dataset_from_directory(
            folder, label_mode="categorical", image_size=SIZE, batch_size=BATCH, shuffle=shuffle,
            seed=seed, crop_to_aspect_ratio=True, verbose=False,
        ).prefetch(2)  # fmt: skip

    class Tell(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
            seconds = round(time.time() - BEGAN, 2)
            reached = round(float((logs or {})["val_accuracy"]), 5)
            print(json.dumps({"seconds": seconds, "val_accuracy": reached}), flush=True)

    train, val = dataset(train_folder, shuffle=True), dataset(val_folder, shuffle=False)
    num_classes = next(iter(val))[1].shape[1]
    body = load_body("efficientnet-lite0", SIZE)
    pixels = keras.Input((*SIZE, 3))
    x = keras.layers.RandomFlip("horizontal")(pixels)
    x = keras.layers.RandomRotation(0.1)(x)
    x = keras.layers.Dropout(0.2)(body(x, training=False))
    model = keras.Model(pixels, keras.layers.Dense(num_classes, activation="softmax")(x))
    for is_frozen, rate in ((True, 1e-3), (False, 1e-5)):
        body.trainable = not is_frozen
        adam = keras.optimizers.Adam(rate)
        model.compile(adam, "categorical_crossentropy", metrics=["accuracy"])
        model.fit(train, validation_data=val, epochs=EPOCHS, callbacks=[Tell()], verbose=0)
    if test_folder != "-":
        test = dataset(test_folder, shuffle=False)
        print(json.dumps({"accuracy": model.evaluate(test, verbose=0)[1]}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]))
