/** Prints the manual page: `node --conditions=pipe-backup-src src/man/write-man-page.ts VERSION`. Run by the build. */
import { createProgram } from '../program.ts'
import { manPage } from './man-page.ts'

const version = process.argv[2]
if (version === undefined) throw new Error('give the version: write-man-page.ts 0.1.0')
// No command is run.
process.stdout.write(manPage(createProgram(version, async () => undefined)))
