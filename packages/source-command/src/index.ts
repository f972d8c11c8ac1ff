export { type CommandOptions, command, commandSource, outputOf } from './command.ts'
export { type FeedOptions, feed, SECRET_FILE } from './feed.ts'
