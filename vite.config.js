// Builds the pages' assets into app/dashboard/static, with hashed names and a manifest.
import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";

import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vite";

const ICONS = new URL("app/dashboard/assets/icons.json", import.meta.url);
const TEXT = /\.(css|js|svg)$/;

/** One SVG file with the icons of icons.json as symbols, for `<use href="…#name">`. */
function iconSprite() {
  return {
    name: "icon-sprite",
    generateBundle() {
      const symbols = JSON.parse(readFileSync(ICONS, "utf8")).map((name) => {
        const file = new URL(`node_modules/lucide-static/icons/${name}.svg`, import.meta.url);
        const inner = readFileSync(file, "utf8").match(/<svg[^>]*>([\s\S]*)<\/svg>/)[1];
        return `<symbol id="${name}" viewBox="0 0 24 24">${inner.replace(/\s+/g, " ")}</symbol>`;
      });
      this.emitFile({
        type: "asset",
        name: "icons.svg",
        originalFileName: "icons.svg",
        source: `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`,
      });
    },
  };
}

/** `.br` and `.gz` beside every text file, so that no request compresses anything. */
function precompress() {
  return {
    name: "precompress",
    enforce: "post",
    generateBundle(_, bundle) {
      for (const [fileName, file] of Object.entries(bundle)) {
        if (!TEXT.test(fileName)) continue;
        const raw = Buffer.from(file.type === "chunk" ? file.code : file.source);
        this.emitFile({ type: "asset", fileName: `${fileName}.br`, source: brotliCompressSync(raw) });
        this.emitFile({ type: "asset", fileName: `${fileName}.gz`, source: gzipSync(raw) });
      }
    },
  };
}

export default defineConfig({
  base: "/static/",
  publicDir: "app/dashboard/assets/public",
  plugins: [tailwindcss(), iconSprite(), precompress()],
  build: {
    outDir: "app/dashboard/static",
    emptyOutDir: true,
    manifest: "manifest.json",
    assetsDir: "",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: ["chrome111", "firefox128", "safari16.4"],
    rollupOptions: { input: ["app/dashboard/assets/app.js", "app/dashboard/assets/app.css"] },
  },
});
