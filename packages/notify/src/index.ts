export { type Channel, type ChannelOptions, openChannel } from './channel.ts'
export { type Decision, decide, type Observation, type Reminders } from './decide.ts'
export { type Delivery, deliver } from './deliver.ts'
export { type Level, type Notice, NotifyError } from './notice.ts'
