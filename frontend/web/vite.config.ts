import { copyFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";

const here = import.meta.dirname ?? dirname(new URL(import.meta.url).pathname);

/** What is built together: the site goes to the bucket behind the edge, the console is served by the local home. */
const outputs: Record<string, string[]> = {
  site: ["index.html", "watch.html", "upload.html"],
  console: ["executions.html", "execution.html"],
};

/**
 * video.js embeds its icon font as a `data:` URL, which a policy of `default-src 'self'` refuses. The same font exists as a
 * file in `videojs-font`: put that in its place.
 */
function fontAsFile(): Plugin {
  const embedded = /url\(data:application\/font-woff;charset=utf-8;base64,[^)]+\)/;
  return {
    name: "vodline:font-as-file",
    enforce: "pre",
    transform(code, id) {
      if (!id.includes("/video.js/dist/video-js.css")) return undefined;
      if (!embedded.test(code)) this.error("video.js no longer embeds its font; remove this plugin");
      const font = createRequire(import.meta.url).resolve("videojs-font/fonts/VideoJS.woff");
      return { code: code.replace(embedded, `url(${font})`), map: null };
    },
  };
}

/** The licences of what is shipped to the browser travel with it. */
function licences(outDir: string): Plugin {
  const shipped = ["video.js", "videojs-contrib-quality-menu", "videojs-font", "preact", "aws4fetch"];
  return {
    name: "vodline:licences",
    apply: "build",
    closeBundle() {
      const target = join(outDir, "licences");
      mkdirSync(target, { recursive: true });
      for (const name of shipped) {
        for (const file of ["LICENSE", "LICENSE.md", "LICENSE-MIT"]) {
          try {
            copyFileSync(join(here, "node_modules", name, file), join(target, `${name}.txt`));
            break;
          } catch {
            // The next spelling.
          }
        }
      }
    },
  };
}

export default defineConfig(({ mode }) => {
  const pages = outputs[mode] ?? Object.values(outputs).flat();
  const outDir = resolve(here, "dist", mode);
  return {
    root: here,
    base: "./",
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    plugins: [fontAsFile(), licences(outDir)],
    build: {
      outDir,
      emptyOutDir: true,
      target: "es2022",
      // `light-dark()` is used as it is; older browsers than these are not supported.
      cssTarget: ["chrome123", "firefox128", "safari17.5"],
      // Files, never `data:` URLs: the pages run under `default-src 'self'`.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 800,
      rolldownOptions: { input: pages.map((page) => resolve(here, page)) },
    },
    server: {
      proxy: {
        "/api": "http://127.0.0.1:8080",
        "/media": "http://127.0.0.1:8080",
        "/v/": "http://127.0.0.1:8080",
        "/console-config.json": {
          target: "http://127.0.0.1:4566",
          rewrite: (path: string) => `/_console${path}`,
        },
      },
    },
  };
});
