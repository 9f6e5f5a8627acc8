package io.pipeops.agent.launcher;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.osgi.framework.BundleException;
import org.osgi.framework.launch.Framework;
import org.osgi.framework.launch.FrameworkFactory;
import org.slf4j.LoggerFactory;

/**
 * The framework that {@code main()} starts, for whoever looks for one by {@code ServiceLoader}: a
 * test container, an IDE. It has the same system packages, capabilities, service bundles and base.
 *
 * <p>The framework properties say what the command line says otherwise: {@code agent.home} and
 * {@code agent.run.dir} (both must be there), {@code agent.program} ({@code agent}), {@code
 * agent.mode} ({@code run}), {@code agent.settings.file} (none), {@code agent.features.dir} (that
 * of the home), {@code agent.flags} (none; lines {@code key=value}) and {@code agent.log.level}
 * ({@code info}). A bundle that asks for the end of the process only stops the framework.
 */
public final class AgentFrameworkFactory implements FrameworkFactory {
  /** For {@code ServiceLoader}. */
  public AgentFrameworkFactory() {}

  /**
   * @throws IllegalArgumentException if a property is missing or not understood
   * @throws UncheckedIOException if the distribution is not whole
   */
  @Override
  public Framework newFramework(Map<String, String> configuration) {
    Map<String, String> given = configuration == null ? Map.of() : configuration;
    Options options = options(given);
    Logging logging = new Logging("text", given.getOrDefault("agent.log.level", "info"));
    CompletableFuture<Integer> exit = new CompletableFuture<>();
    try {
      Map<String, String> properties = new HashMap<>(given);
      properties.putAll(new Build().asFrameworkProperties());
      SystemPackages system = new SystemPackages();
      Framework framework =
          AgentFramework.create(
              options,
              system,
              properties,
              AgentFramework.base(options, system, logging, exit::complete));
      exit.thenAcceptAsync(
          code -> stop(framework, code), task -> new Thread(task, "framework-exit").start());
      return framework;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void stop(Framework framework, int code) {
    LoggerFactory.getLogger(AgentFrameworkFactory.class).warn("Stopping, asked for code={}", code);
    try {
      framework.stop();
    } catch (BundleException e) {
      throw new IllegalStateException("The framework does not stop", e);
    }
  }

  private static Options options(Map<String, String> given) {
    Path home = Path.of(required(given, "agent.home")).toAbsolutePath().normalize();
    String settings = given.getOrDefault("agent.settings.file", "");
    String features = given.getOrDefault("agent.features.dir", "");
    String flags = given.getOrDefault("agent.flags", "");
    return new Options(
        home,
        Program.valueOf(given.getOrDefault("agent.program", "agent").toUpperCase(Locale.ROOT)),
        given.getOrDefault("agent.mode", "run"),
        settings.isEmpty() ? null : Path.of(settings),
        features.isEmpty() ? home.resolve("features") : Path.of(features).toAbsolutePath(),
        Path.of(required(given, "agent.run.dir")).toAbsolutePath(),
        flags.isEmpty() ? List.of() : flags.lines().toList());
  }

  private static String required(Map<String, String> given, String key) {
    String value = given.get(key);
    if (value == null || value.isEmpty()) {
      throw new IllegalArgumentException("The framework property " + key + " is not set");
    }
    return value;
  }
}
