import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";
import { gzipSiblings } from "./build/gzip.ts";

export default defineConfig({
  plugins: [svelte(), gzipSiblings()],
  build: {
    outDir: "../server/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the content security policy allows no data: scripts, and hashed files cache better
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: { "/api": "http://127.0.0.1:8400", "/live": "http://127.0.0.1:8400" },
  },
});
