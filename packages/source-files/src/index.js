export { files } from './files.js';
export { filesSource } from './files-source.js';
//# sourceMappingURL=index.js.map