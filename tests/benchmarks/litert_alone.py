"""The floor under predict: LiteRT, NumPy and Pillow for one picture, and nothing else.

python litert_alone.py BODY.tflite PICTURE
"""

import sys

if __name__ == "__main__":
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter
    from PIL import Image

    body, picture = sys.argv[1:]
    interpreter = Interpreter(body, num_threads=2)
    interpreter.allocate_tensors()
    height, width = interpreter.get_input_details()[0]["shape"][1:3]
    pixels = np.asarray(Image.open(picture).convert("RGB").resize((width, height)), np.float32)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels[None])
    interpreter.invoke()
    print(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).argmax())
