import { configureGlobal } from 'fast-check'

// A change is judged by the same cases each time; whoever runs the tests by hand looks at others too.
if (process.env.CI !== undefined) configureGlobal({ seed: 20_261_123 })
