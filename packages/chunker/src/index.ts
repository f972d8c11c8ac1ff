export { chunks } from './chunks.ts'
export { type Cutter, type CutterOptions, createCutter } from './cutter.ts'
export { createGear, type Gear } from './gear.ts'
