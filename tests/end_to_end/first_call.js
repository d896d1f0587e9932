// A newcomer's first call in Node: a channel that nobody has set, an image, no
// options.
//
//     NODE_PATH=node_modules node first_call.js HOST:PORT IMAGE PROTO_FOLDER
'use strict';

const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [address, image, protos] = process.argv.slice(2);
const api = grpc.loadPackageDefinition(
    loader.loadSync('saliency/v1/saliency_service.proto',
                    {includeDirs: [protos], keepCase: true}));
const client = new api.saliency.v1.SaliencyService(
    address, grpc.credentials.createInsecure());
client.ComputeSaliency(
    {input: {image: fs.readFileSync(image)}},
    {deadline: Date.now() + 60000},
    (error, answer) => {
      if (error) {
        console.error(error.message);
        process.exit(1);
      }
      for (const map of answer.maps) {
        console.log(map.height, map.width, map.data.length,
                    map.explained_class.label, map.image_point.y,
                    map.image_point.x);
      }
      client.close();
    });
