// The types of notification that this program knows: a new one is one line.
export { command } from './command-notify.ts'
export { email } from './email-notify.ts'
export { ping } from './ping-notify.ts'
export { webhook } from './webhook-notify.ts'
