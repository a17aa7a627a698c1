import { setUp } from './setup/steps.mjs';

await setUp();
