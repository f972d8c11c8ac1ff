export { type ExtractOptions, type ExtractReport, extract, type Overwrite } from './extract.ts'
export { type Preview, type PreviewOptions, type PreviewState, preview } from './preview.ts'
