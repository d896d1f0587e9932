// A newcomer's first call in Node: a channel that nobody has set, a picture, no
// options.
//
//     NODE_PATH=node_modules node first_call.js HOST:PORT PICTURE PROTO_FOLDER
'use strict';

const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [address, picture, protos] = process.argv.slice(2);
const api = grpc.loadPackageDefinition(
    loader.loadSync('saliency/v1/saliency_service.proto',
                    {includeDirs: [protos], keepCase: true}));
const client = new api.saliency.v1.SaliencyService(
    address, grpc.credentials.createInsecure());
client.ComputeSaliency(
    {input: {picture: fs.readFileSync(picture)}},
    {deadline: Date.now() + 60000},
    (error, answer) => {
      if (error) {
        console.error(error.message);
        process.exit(1);
      }
      for (const map of answer.maps) {
        console.log(map.height, map.width, map.data.length,
                    map.explained_class.label, map.picture_point.y,
                    map.picture_point.x);
      }
      client.close();
    });
