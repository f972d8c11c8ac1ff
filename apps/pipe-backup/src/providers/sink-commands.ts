// The commands that types of sink bring along, such as a login: one line each. Help loads them: they import what they do when it is done.
export { addDropboxCommands } from './dropbox/commands.ts'
