/** `FAULTS=all` takes minutes: no sample, but all there is. */
export const ALL: boolean = process.env['FAULTS'] === 'all'

// A change is judged by the same cases each time; whoever runs the tests by hand looks at others too.
const seed =
  process.env['FAULTS_SEED'] ??
  (process.env['CI'] === undefined ? Math.floor(Math.random() * 1e6) : 20_261_123)

/** Of which the sample is made; printed by each test, to be given again as `FAULTS_SEED`. */
export const SEED = Number(seed)
