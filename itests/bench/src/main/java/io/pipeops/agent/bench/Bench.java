package io.pipeops.agent.bench;

import io.pipeops.agent.itests.Program;
import io.pipeops.agent.itests.Spine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** The benchmark program; its options stand in {@code bench.sh}. */
public final class Bench {
  private static final Set<String> USUAL = Set.of("footprint", "http", "streams", "stalled");

  private final Set<String> parts;
  private final boolean quick;
  private final Path dir;
  private final Figures figures = new Figures();

  private Bench(Set<String> parts, boolean quick, Path dir) {
    this.parts = parts;
    this.quick = quick;
    this.dir = dir;
  }

  public static void main(String[] args) throws Exception {
    List<String> options = List.of(args);
    String only = value(options, "--only", "");
    Set<String> parts = only.isEmpty() ? USUAL : Set.of(only.split(","));
    for (String part : parts) {
      if (!USUAL.contains(part) && !part.equals("churn")) {
        System.err.println("bench: there is no part " + part + "; see --help");
        System.exit(2);
      }
    }
    Path json = Path.of(value(options, "--json", "bench.json"));
    Path dir = Files.createTempDirectory("bench-");
    Bench bench = new Bench(parts, options.contains("--quick"), dir);
    try {
      bench.run(options.contains("--plain"), Path.of(value(options, "--picture", "churn.svg")));
    } finally {
      // Also what was measured before a failure.
      bench.figures.writeJson(json);
      System.out.println("Figures: " + json.toAbsolutePath());
      delete(dir);
    }
  }

  private void run(boolean plain, Path picture) throws Exception {
    try (Target target = plain ? Target.plain() : Target.start(dir);
        Target web = Target.plain();
        StreamTarget stream = StreamTarget.start();
        HaProxy proxy = HaProxy.start(dir, target, stream, web);
        Spine spine = Spine.prepared(dir)) {
      if (plain) {
        spine.hubSettings.add("hub.insecure=true");
        spine.values.put("link.insecure", "true");
      }
      HubPorts.allow(spine);
      spine.values.put("kubernetes.kubeconfig", target.kubeconfig(dir).toString());
      spine.values.put("tunnel.agent_credentials", "false");
      spine.startHub();
      spine.startAgent();
      spine.awaitReady();
      System.out.printf(
          "Image: %s, %d MiB%n", Program.IMAGE.getFileName(), size(Program.IMAGE) >> 20);
      FootprintRows footprint = new FootprintRows(figures, dir, target, spine);
      int seconds = quick ? 3 : 10;
      if (parts.contains("churn")) {
        new ChurnRows(figures, spine).run(quick ? 1 : 30, picture);
      }
      if (parts.contains("footprint")) {
        footprint.start(quick ? 3 : 7);
        footprint.idle(quick ? 60 : 300);
      }
      if (parts.contains("http")) {
        new HttpRows(figures, spine, target, proxy, seconds).run();
      }
      if (parts.contains("footprint")) {
        footprint.limited(1, quick ? 10 : 60);
        footprint.limited(0.1, quick ? 10 : 60);
      }
      if (parts.contains("streams") || parts.contains("stalled")) {
        HubPorts ports = HubPorts.forFreshAgent(spine);
        int streamPort = ports.to(stream.port());
        int webPort = ports.to(web.port());
        Between between = Between.hubAndAgent(spine);
        if (parts.contains("streams")) {
          OpenedRows opened = new OpenedRows(figures, spine, stream, quick ? 1_000 : 10_000);
          opened.memory(streamPort, between, quick ? 3 : 20);
          opened.rate("Port", streamPort, between);
          if (proxy.there()) {
            opened.rate("HAProxy as TCP proxy", proxy.streamPort(), proxy.between());
          }
          StreamRows rows = new StreamRows(figures, stream, web, seconds);
          rows.hub(streamPort, webPort, between);
          rows.beside(proxy);
        }
        if (parts.contains("stalled")) {
          StalledRows stalled = new StalledRows(figures, seconds);
          stalled.api("Stream path", target, Place.through(spine), between);
          stalled.port("Port", stream, streamPort, Place.like(web, webPort), between);
          if (proxy.there()) {
            stalled.port(
                "HAProxy as TCP proxy",
                stream,
                proxy.streamPort(),
                Place.like(web, proxy.webPort()),
                proxy.between());
          }
        }
      }
    }
  }

  private static String value(List<String> options, String name, String otherwise) {
    int at = options.indexOf(name);
    return at >= 0 && at + 1 < options.size() ? options.get(at + 1) : otherwise;
  }

  private static long size(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(Files::isRegularFile).mapToLong(f -> f.toFile().length()).sum();
    }
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
