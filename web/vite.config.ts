import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The built application is served by the portal process from the Python package.
export default defineConfig({
  plugins: [svelte()],
  base: '/',
  build: {
    outDir: '../src/openami/portal/static',
    emptyOutDir: true,
    manifest: true,
    target: 'es2022',
    chunkSizeWarningLimit: 600, // ECharts alone, loaded with the usage page; check-size.mjs holds the first view
    assetsInlineLimit: 0, // the content security policy allows no data: scripts or styles
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8420' } },
  test: { environment: 'jsdom', include: ['src/**/*.test.ts'] },
});
