package io.pipeops.agent.provision.features;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.startlevel.BundleStartLevel;
import org.osgi.framework.wiring.FrameworkWiring;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The bundles that were installed for features, and who uses each. Every bundle has a location of
 * its own, so that two versions can be there at a time. Used by one thread.
 */
final class BundleStore {
  private static final Logger log = LoggerFactory.getLogger(BundleStore.class);
  private static final int START_LEVEL = 30;
  private static final Duration STOP_LIMIT = Duration.ofSeconds(40);

  /** A bundle whose start never returned holds its own lock, so there is little to hope for. */
  private static final Duration HUNG_LIMIT = Duration.ofSeconds(5);

  private static final Duration REFRESH_LIMIT = Duration.ofSeconds(30);

  private static final class Entry {
    final Bundle bundle;
    final Set<String> users = new HashSet<>();
    volatile boolean hung;

    Entry(Bundle bundle) {
      this.bundle = bundle;
    }
  }

  private final BundleContext framework;
  private final Path copies;
  private final Map<BundleKey, Entry> entries = new HashMap<>();
  private final Map<BundleKey, Path> verified = new HashMap<>();
  private long installs;

  /**
   * Keeps bundles.
   *
   * @param framework the system bundle's context, so that what is installed outlives us
   * @param copies folder for private copies, which is made at the first one
   */
  BundleStore(BundleContext framework, Path copies) {
    this.framework = framework;
    this.copies = copies;
  }

  Collection<BundleKey> installed() {
    return List.copyOf(entries.keySet());
  }

  Bundle bundle(BundleKey key) {
    Entry entry = entries.get(key);
    return entry == null ? null : entry.bundle;
  }

  /** Digests a jar and keeps a private copy of it; what was digested is what gets installed. */
  void verify(Candidate.Jar jar) throws BadFeature {
    BundleKey key = jar.key();
    if (verified.containsKey(key) || entries.containsKey(key)) {
      return;
    }
    try {
      Files.createDirectories(copies);
      Path copy = copies.resolve(key.sha256() + ".jar");
      BundleDigest.verifiedCopy(jar.path(), key.sha256(), copy);
      BundleJar content = BundleJar.read(copy);
      if (!content.symbolicName().equals(key.symbolicName())
          || !content.version().toString().equals(key.version())) {
        throw new BadFeature(jar.path().getFileName() + " was changed while it was read");
      }
      verified.put(key, copy);
    } catch (IOException failed) {
      throw new BadFeature(
          "%s could not be verified: %s".formatted(jar.ref().jar(), BoundedCall.reason(failed)),
          true);
    }
  }

  /** Installs a verified bundle, or finds it installed, and counts the user. */
  void acquire(Candidate.Jar jar, String user) throws BadFeature {
    BundleKey key = jar.key();
    Entry entry = entries.get(key);
    if (entry == null) {
      verify(jar);
      entry = new Entry(install(key));
      entries.put(key, entry);
    }
    entry.users.add(user);
  }

  private Bundle install(BundleKey key) throws BadFeature {
    String location = "agent:%s:%s:%d".formatted(key.symbolicName(), key.version(), ++installs);
    try (InputStream jar = Files.newInputStream(verified.get(key))) {
      Bundle bundle = framework.installBundle(location, jar);
      bundle.adapt(BundleStartLevel.class).setStartLevel(START_LEVEL);
      return bundle;
    } catch (IOException failed) {
      throw new BadFeature(
          "the bundle %s could not be installed: %s".formatted(key, BoundedCall.reason(failed)),
          true);
    } catch (BundleException failed) {
      boolean unwritten = failed.getCause() instanceof IOException;
      throw new BadFeature(
          "the bundle %s could not be installed%s: %s"
              .formatted(
                  key,
                  unwritten ? " in " + framework.getProperty(Constants.FRAMEWORK_STORAGE) : "",
                  BoundedCall.reason(failed)),
          unwritten);
    }
  }

  void start(BundleKey key, Duration limit) throws BadFeature, InterruptedException {
    Entry entry = entries.get(key);
    Bundle bundle = entry.bundle;
    if (bundle.getState() == Bundle.ACTIVE
        || bundle.getHeaders().get(Constants.FRAGMENT_HOST) != null) {
      return;
    }
    entry.hung = true;
    BoundedCall.act(
        "the start of " + key,
        limit,
        () -> {
          try {
            bundle.start(Bundle.START_TRANSIENT);
          } finally {
            entry.hung = false;
          }
          return null;
        });
  }

  /** Stops a bundle; what goes wrong is logged, since nobody can do anything about it. */
  void stop(BundleKey key) throws InterruptedException {
    Entry entry = entries.get(key);
    if (entry != null) {
      quietly(
          "the stop of " + key,
          entry,
          () -> {
            entry.bundle.stop(Bundle.STOP_TRANSIENT);
            return null;
          });
    }
  }

  /** Counts the user of bundles that are installed; the others are left out. */
  void hold(Collection<BundleKey> keys, String user) {
    for (BundleKey key : keys) {
      Entry entry = entries.get(key);
      if (entry != null) {
        entry.users.add(user);
      }
    }
  }

  /** Whether nobody but this user has the bundle. */
  boolean only(BundleKey key, String user) {
    Entry entry = entries.get(key);
    return entry != null && entry.users.stream().allMatch(user::equals);
  }

  /** Ends the use of a bundle; stops and uninstalls it if that was the last one. */
  void release(BundleKey key, String user) throws InterruptedException {
    Entry entry = entries.get(key);
    if (entry == null) {
      return;
    }
    if (!entry.users.remove(user) || !entry.users.isEmpty()) {
      return;
    }
    stop(key);
    boolean gone =
        quietly(
            "the removal of " + key,
            entry,
            () -> {
              entry.bundle.uninstall();
              return null;
            });
    if (gone) {
      entries.remove(key);
    }
  }

  private static boolean quietly(String what, Entry entry, Callable<Void> call)
      throws InterruptedException {
    try {
      BoundedCall.act(what, entry.hung ? HUNG_LIMIT : STOP_LIMIT, call);
      return true;
    } catch (BadFeature failed) {
      log.warn("{}; going on without it", failed.getMessage());
      return false;
    }
  }

  /** Rewires what uses packages of bundles that are gone; does nothing if there is no such. */
  void refresh() throws InterruptedException {
    FrameworkWiring wiring = framework.getBundle().adapt(FrameworkWiring.class);
    Collection<Bundle> pending = wiring.getRemovalPendingBundles();
    if (pending.isEmpty()) {
      return;
    }
    log.info("Refreshing {} bundles whose wiring is out of date", pending.size());
    CountDownLatch done = new CountDownLatch(1);
    wiring.refreshBundles(new ArrayList<>(pending), event -> done.countDown());
    if (!done.await(REFRESH_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
      log.warn("The refresh still runs after {} s", REFRESH_LIMIT.toSeconds());
    }
  }

  /** Deletes the private copies; the framework has its own by now. */
  void discardCopies() {
    for (Path copy : verified.values()) {
      try {
        Files.deleteIfExists(copy);
      } catch (IOException kept) {
        log.debug("Could not delete {}", copy, kept);
      }
    }
    verified.clear();
  }
}
