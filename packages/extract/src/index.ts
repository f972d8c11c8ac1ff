export { type ExtractOptions, type ExtractReport, extract } from './extract.ts'
