package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.ops4j.pax.exam.CoreOptions;
import org.ops4j.pax.exam.Option;
import org.ops4j.pax.exam.TestContainer;
import org.ops4j.pax.exam.TestContainerFactory;
import org.ops4j.pax.exam.nat.internal.NativeTestContainer;
import org.ops4j.pax.exam.spi.DefaultExamSystem;
import org.ops4j.pax.exam.spi.PaxExamRuntime;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;

/**
 * The distribution's framework in the test's JVM: Pax Exam's native container starts what the
 * launcher offers as a {@code FrameworkFactory}, with the jars of the image. The tests stay outside
 * and see bundles, services and components of it.
 */
final class AgentContainer implements AutoCloseable {
  private static final int ALL_LEVELS = 100;
  private static final ClassLoader IMAGE = image();

  private final NativeTestContainer container;

  private AgentContainer(NativeTestContainer container) {
    this.container = container;
  }

  /** Starts with these framework properties; {@code agent.run.dir} is among them. */
  static AgentContainer start(Map<String, String> properties) throws IOException {
    Files.createDirectories(Path.of(properties.get("agent.run.dir")));
    List<Option> options = new ArrayList<>();
    options.add(CoreOptions.frameworkStartLevel(ALL_LEVELS));
    options.add(CoreOptions.frameworkProperty("agent.home").value(Program.IMAGE.toString()));
    options.add(CoreOptions.frameworkProperty("agent.log.level").value("warn"));
    properties.forEach((k, v) -> options.add(CoreOptions.frameworkProperty(k).value(v)));
    TestContainerFactory factory = PaxExamRuntime.getTestContainerFactory();
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(IMAGE);
    try {
      // Felix offers a factory too; the launcher's comes first on the class path of the image.
      TestContainer first =
          factory.create(DefaultExamSystem.create(options.toArray(Option[]::new)))[0];
      first.start();
      return new AgentContainer((NativeTestContainer) first);
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  private static ClassLoader image() {
    try {
      return ImageClassLoader.of(Program.IMAGE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  BundleContext context() {
    return container.getSystemBundle().getBundleContext();
  }

  /** All versions of a bundle, the lower first. */
  List<Bundle> bundles(String symbolicName) {
    return Stream.of(context().getBundles())
        .filter(bundle -> symbolicName.equals(bundle.getSymbolicName()))
        .sorted(java.util.Comparator.comparing(Bundle::getVersion))
        .toList();
  }

  /** Waits until there are no complaints left; fails with those that are. */
  static void settles(String what, Duration limit, Callable<List<String>> complaints)
      throws Exception {
    try {
      Await.until(what, limit, () -> complaints.call().isEmpty());
    } catch (AssertionError late) {
      List<String> left = complaints.call();
      if (!left.isEmpty()) {
        fail(what + ", after " + limit + ":\n" + String.join("\n", left), late);
      }
    }
  }

  /** The clauses of a manifest header; empty if there is none. */
  static List<String> clauses(String header) {
    return header == null
        ? List.of()
        : Arrays.stream(header.split(",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)"))
            .map(String::strip)
            .toList();
  }

  @Override
  public void close() {
    container.stop();
  }
}
