import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const api = process.env.OPENBELL_API ?? 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [react()],
  build: { target: 'es2023', reportCompressedSize: false, chunkSizeWarningLimit: 700 },
  server: { proxy: { '/api': api, '/ws': { target: api, ws: true } } },
  test: {
    environment: 'jsdom',
    environmentOptions: { jsdom: { url: 'http://localhost/' } },
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['src/testing/setup.ts'],
    maxWorkers: 2,
    testTimeout: 30_000, // a busy machine is slow, not wrong
  },
});
