"""The baseline of predict: a script of Keras alone over a folder, with the same model and files.

python keras_predict.py MODEL.keras FOLDER
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

if __name__ == "__main__":
    import keras

    model_path, folder = sys.argv[1:]
    model = keras.saving.load_model(model_path, compile=False)
    model.compile(jit_compile=False)  # XLA would make it ten times slower on a CPU
    pictures = keras.utils.image_dataset_from_directory(
        folder,
        labels=None,
        image_size=model.input_shape[1:3],
        crop_to_aspect_ratio=True,
        shuffle=False,
        batch_size=32,
        verbose=False,
    )
    probabilities = model.predict(pictures, verbose=0)
    for path, label in zip(pictures.file_paths, probabilities.argmax(axis=1), strict=True):
        print(path, label)
