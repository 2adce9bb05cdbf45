export { crc32c, maskedCrc32c } from './crc32c.js';
export { encodePng, type Pixels } from './png.js';
export { decodeSafetensors, encodeSafetensors, safetensorsHeader, type SafetensorsEntry, type SafetensorsOptions } from './safetensors.js';
export { encodeEvent, encodeRecord, fileVersion, type EventImage, type TensorBoardEvent } from './tensorboard.js';
export { tile, type TileOptions } from './tile.js';
