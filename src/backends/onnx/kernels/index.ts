// All kernels that the compiled engine can record. docs/kernels.md has the same table for readers; a test compares them.
import { constants } from './constants.js';
import { einsum } from './einsum.js';
import { elementwise } from './elementwise.js';
import { gathers } from './gather.js';
import { products } from './products.js';
import type { Recorders } from './recorder.js';
import { reductions } from './reductions.js';
import { shape } from './shape.js';

/** Recorders by the name of their tfjs kernel. */
export const recorders: Recorders = { ...products, ...einsum, ...elementwise, ...reductions, ...gathers, ...shape, ...constants };
