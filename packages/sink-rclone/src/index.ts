export { type RcloneSinkOptions, rcloneSink } from './rclone-sink.ts'
