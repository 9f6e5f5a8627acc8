package io.pipeops.agent.provision;

import io.pipeops.agent.api.feature.FeatureState;
import io.pipeops.agent.api.feature.FeatureStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.IntConsumer;
import org.apache.felix.framework.FrameworkFactory;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.launch.Framework;
import org.osgi.service.cm.ConfigurationAdmin;
import org.osgi.service.component.runtime.ServiceComponentRuntime;

/** A bare framework with SCR and Configuration Admin, and a provision inside it. */
final class TestFramework implements AutoCloseable {
  static final Reconciler.Pace QUICK =
      new Reconciler.Pace(Duration.ofMillis(20), Duration.ofMillis(100));

  final Path home;
  final Path features;
  final Path settings;
  final List<Integer> exits = new CopyOnWriteArrayList<>();
  final Map<String, String> variables = new HashMap<>();
  private final Framework framework;
  private Provision provision;

  TestFramework(Path folder) throws IOException, BundleException {
    home = folder.resolve("home");
    features = home.resolve("features");
    settings = folder.resolve("settings.yaml");
    Files.createDirectories(features);
    Files.createDirectories(home.resolve("bundles"));
    Map<String, String> properties = new HashMap<>();
    properties.put(Constants.FRAMEWORK_STORAGE, folder.resolve("cache").toString());
    properties.put(Constants.FRAMEWORK_BEGINNING_STARTLEVEL, "40");
    properties.put(
        Constants.FRAMEWORK_SYSTEMPACKAGES_EXTRA,
        "org.apache.felix.hc.api;version=2.0.0,io.pipeops.agent.api.feature;version=1.0.0,"
            + "org.osgi.service.cm;version=1.6.1,org.osgi.service.component;version=1.5.1,"
            + "org.osgi.service.component.runtime;version=1.5.1,"
            + "org.osgi.service.component.runtime.dto;version=1.5.1,"
            + "org.osgi.util.promise;version=1.3.0,org.osgi.util.function;version=1.2.0");
    framework = new FrameworkFactory().newFramework(properties);
    framework.init();
    for (String name : List.of("felix.configadmin", "felix.scr")) {
      context().installBundle("file:" + jar(name)).start();
    }
    framework.start();
  }

  private static String jar(String name) {
    return Arrays.stream(System.getProperty("java.class.path").split(":"))
        .filter(p -> Path.of(p).getFileName().toString().startsWith("org.apache." + name))
        .findFirst()
        .orElseThrow();
  }

  BundleContext context() {
    return framework.getBundleContext();
  }

  Provision start() {
    return start("sandbox");
  }

  Provision start(String program) {
    return start(program, false);
  }

  void validate(String program) {
    start(program, true);
  }

  private Provision start(String program, boolean validate) {
    Environment environment =
        new Environment(
            home, program, validate, settings, features, home.resolve("run"), "", variables);
    provision =
        new Provision(
            context(),
            service(ConfigurationAdmin.class),
            service(ServiceComponentRuntime.class),
            exits::add,
            environment,
            QUICK);
    return provision;
  }

  private <T> T service(Class<T> type) {
    return context().getService(context().getServiceReference(type));
  }

  void awaitSettled() {
    Await.until("settled", provision::list, provision::settled);
  }

  /** Waits until a version of a feature is in a state. */
  void await(String name, String version, FeatureState state) {
    Await.until(
        name + " " + version + " " + state,
        provision::list,
        () -> status(name, version).filter(s -> s.state() == state).isPresent());
  }

  void awaitReason(String name, String part) {
    Await.until(
        name + " with " + part,
        provision::list,
        () ->
            provision.list().stream()
                .anyMatch(s -> s.name().equals(name) && s.reason().contains(part)));
  }

  void awaitGone(String name, String version) {
    Await.until(
        name + " " + version + " gone", provision::list, () -> status(name, version).isEmpty());
  }

  Optional<FeatureStatus> status(String name, String version) {
    return provision.list().stream()
        .filter(s -> s.name().equals(name) && s.version().equals(version))
        .findFirst();
  }

  /** A service of a sample bundle, such as {@code alpha 1.0.0}. */
  <T> Optional<ServiceReference<T>> sample(Class<T> type, String sample) {
    try {
      return context().getServiceReferences(type, "(sample=" + sample + ")").stream().findFirst();
    } catch (InvalidSyntaxException malformed) {
      throw new IllegalArgumentException(malformed);
    }
  }

  long serviceId(String sample) {
    return (Long) sample(IntConsumer.class, sample).orElseThrow().getProperty(Constants.SERVICE_ID);
  }

  <T> T get(Class<T> type, String sample) {
    return context().getService(sample(type, sample).orElseThrow());
  }

  /** Waits until exactly these bundles are installed for features. */
  void awaitBundles(String... names) {
    List<String> expected = List.of(names);
    Await.until("bundles " + expected, this::bundles, () -> bundles().equals(expected));
  }

  List<String> bundles() {
    return Arrays.stream(context().getBundles())
        .filter(b -> b.getLocation().startsWith("agent:"))
        .map(TestFramework::name)
        .sorted()
        .toList();
  }

  private static String name(Bundle bundle) {
    return bundle.getSymbolicName().replace("io.pipeops.agent.", "") + " " + bundle.getVersion();
  }

  void settings(String yaml) {
    TestFeature.write(settings, yaml);
  }

  /**
   * Writes the settings as kubelet does with a mounted ConfigMap: the file is a link into {@code
   * ..data}, which is a link to a folder with the time in its name, and that one is swapped.
   */
  void mounted(String yaml, int generation) throws IOException {
    Path mount = settings.getParent().resolve("mount");
    Path fresh = Files.createDirectories(mount.resolve("..2026_11_25_" + generation));
    Files.writeString(fresh.resolve("config.yaml"), yaml);
    Path link = mount.resolve("..data_tmp");
    Files.createSymbolicLink(link, fresh.getFileName());
    Path data = mount.resolve("..data");
    Path before = Files.exists(data) ? data.toRealPath() : null;
    Files.move(link, data, StandardCopyOption.ATOMIC_MOVE);
    if (before == null) {
      Files.createSymbolicLink(mount.resolve("config.yaml"), Path.of("..data/config.yaml"));
      Files.deleteIfExists(settings);
      Files.createSymbolicLink(settings, mount.resolve("config.yaml"));
    } else {
      Files.delete(before.resolve("config.yaml"));
      Files.delete(before);
    }
  }

  @Override
  public void close() throws Exception {
    if (provision != null) {
      provision.stop();
    }
    framework.stop();
    framework.waitForStop(10_000);
  }
}
