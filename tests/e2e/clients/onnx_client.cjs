// Runs an ONNX file as a page in a browser does: node onnx_client.cjs MODEL PIXELS SHAPE PROBABILITIES
// PIXELS and PROBABILITIES are float32 in the machine's order, SHAPE is 50,224,224,3.
const fs = require("fs");
const ort = require("onnxruntime-web");

async function main([model, pixels, shape, probabilities]) {
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(fs.readFileSync(model));
  const [count, ...picture] = shape.split(",").map(Number);
  const size = picture.reduce((a, b) => a * b);
  const values = new Float32Array(new Uint8Array(fs.readFileSync(pixels)).buffer);
  const answers = [];
  for (let i = 0; i < count; i++) {
    const image = new ort.Tensor("float32", values.slice(i * size, (i + 1) * size), [1, ...picture]);
    const answer = await session.run({ image });
    answers.push(...answer.probabilities.data);
  }
  fs.writeFileSync(probabilities, Buffer.from(Float32Array.from(answers).buffer));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
