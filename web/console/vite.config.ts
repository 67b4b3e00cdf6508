import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The console is one page with a script per screen. build.mjs takes what comes out and puts it beside the other pages. */
export default defineConfig({
  base: "/",
  logLevel: "warn",
  plugins: [react()],
  build: {
    write: false,
    target: ["chrome123", "firefox120", "safari17.5"],
    // An asset within a style would be a data: address, which the page's policy refuses for everything but pictures.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Charts are large, and loaded after the first screen is there.
    chunkSizeWarningLimit: 800,
    rollupOptions: {
      input: "console.html",
      output: {
        entryFileNames: "assets/console-[hash].js",
        chunkFileNames: "assets/console-[name]-[hash].js",
        assetFileNames: "assets/console-[name]-[hash][extname]",
      },
    },
  },
});
