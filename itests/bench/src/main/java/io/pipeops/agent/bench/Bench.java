package io.pipeops.agent.bench;

import io.pipeops.agent.itests.Program;
import io.pipeops.agent.itests.Spine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** The benchmark program; its options stand in {@code bench.sh}. */
public final class Bench {
  private Bench() {}

  public static void main(String[] args) throws Exception {
    List<String> options = List.of(args);
    boolean quick = options.contains("--quick");
    String only = value(options, "--only", "");
    Path json = Path.of(value(options, "--json", "bench.json"));
    Path dir = Files.createTempDirectory("bench-");
    Figures figures = new Figures();
    boolean plain = options.contains("--plain");
    try (Target target = plain ? Target.plain() : Target.start(dir);
        Spine spine = Spine.prepared(dir)) {
      if (plain) {
        spine.hubSettings.add("hub.insecure=true");
        spine.values.put("link.insecure", "true");
      }
      spine.values.put("kubernetes.kubeconfig", target.kubeconfig(dir).toString());
      spine.values.put("tunnel.agent_credentials", "false");
      spine.startHub();
      spine.startAgent();
      spine.awaitReady();
      System.out.printf(
          "Image: %s, %d MiB%n", Program.IMAGE.getFileName(), size(Program.IMAGE) >> 20);
      FootprintRows footprint = new FootprintRows(figures, dir, target, spine);
      if (only.equals("churn")) {
        new ChurnRows(figures, spine)
            .run(quick ? 1 : 30, Path.of(value(options, "--picture", "churn.svg")));
        figures.writeJson(json);
        return;
      }
      if (!only.equals("http")) {
        footprint.start(quick ? 3 : 7);
        footprint.idle(quick ? 60 : 300);
      }
      if (!only.equals("footprint")) {
        new HttpRows(figures, spine, target, quick ? 3 : 10).run();
      }
      if (!only.equals("http")) {
        footprint.limited(1, quick ? 10 : 60);
        footprint.limited(0.1, quick ? 10 : 60);
      }
      figures.writeJson(json);
      System.out.println("Figures: " + json.toAbsolutePath());
    } finally {
      delete(dir);
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
