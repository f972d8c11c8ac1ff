export { massRemoval } from './mass-removal.ts'
export { type Policy, PolicyError, type RetentionOptions } from './policy.ts'
export { type Retention, type RetentionSnapshot, retain } from './retain.ts'
