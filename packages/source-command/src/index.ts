export { type CommandOptions, command, commandSource, outputOf } from './command.ts'
