package io.pipeops.agent.provision.features;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.provision.TestBundle;
import io.pipeops.agent.provision.TestFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FeatureFolderTest {
  private final AtomicLong now = new AtomicLong();
  @TempDir Path place;
  private Path features;
  private Path bundles;
  private FeatureFolder folder;

  @BeforeEach
  void make() throws IOException {
    features = Files.createDirectories(place.resolve("features"));
    bundles = Files.createDirectories(place.resolve("bundles"));
    folder = new FeatureFolder(features, bundles, now::get);
  }

  private void pass(Duration time) {
    now.addAndGet(time.toNanos());
  }

  /** A change is taken up at the second look, when it has settled. */
  private FolderContent next() {
    assertFalse(folder.changed());
    assertTrue(folder.changed());
    return folder.read();
  }

  @Test
  void nothingChangesByItself() {
    TestFeature.of("a", "1.0.0", TestBundle.of("a", "1.0.0")).writeTo(features);
    assertEquals(1, folder.read().candidates().size());
    assertFalse(folder.changed());
    assertFalse(folder.changed());
  }

  @Test
  void takesJarsFromBesideTheFileOrFromTheHome() {
    TestBundle home = TestBundle.of("a", "1.0.0");
    home.writeTo(bundles);
    TestFeature feature = TestFeature.of("a", "1.0.0", home);
    TestFeature.write(features.resolve(feature.file()), feature.json());
    Candidate found = folder.read().candidates().get(0);
    assertEquals("", found.problem());
    assertEquals(bundles.resolve(home.jar()), found.jars().get(0).path());
    home.writeTo(features);
    assertEquals(features.resolve(home.jar()), next().candidates().get(0).jars().get(0).path());
  }

  @Test
  void aFileMayComeBeforeItsJar() {
    folder.read();
    TestBundle bundle = TestBundle.of("a", "1.0.0");
    TestFeature feature = TestFeature.of("a", "1.0.0", bundle);
    TestFeature.write(features.resolve(feature.file()), feature.json());
    FolderContent content = next();
    assertTrue(content.waiting());
    pass(Duration.ofSeconds(9));
    assertFalse(folder.changed());
    bundle.writeTo(features);
    content = next();
    assertEquals("", content.candidates().get(0).problem());
    assertFalse(content.waiting());
  }

  @Test
  void patienceEnds() {
    folder.read();
    TestFeature feature = TestFeature.of("a", "1.0.0", TestBundle.of("a", "1.0.0"));
    TestFeature.write(features.resolve(feature.file()), feature.json());
    assertTrue(next().waiting());
    pass(Duration.ofSeconds(10));
    assertTrue(folder.changed());
    FolderContent content = folder.read();
    assertFalse(content.waiting());
    assertTrue(
        content
            .candidates()
            .get(0)
            .problem()
            .startsWith("feature-a-1.0.0.json: io.pipeops.agent.a-1.0.0.jar is missing"));
    assertFalse(folder.changed());
  }

  @Test
  void atTheStartNothingIsOnItsWay() {
    TestFeature feature = TestFeature.of("a", "1.0.0", TestBundle.of("a", "1.0.0"));
    TestFeature.write(features.resolve(feature.file()), feature.json());
    assertFalse(folder.read().waiting());
  }

  @Test
  void aBrokenFileKeepsTheLastGoodOne() throws IOException {
    TestFeature feature = TestFeature.of("a", "1.0.0", TestBundle.of("a", "1.0.0"));
    feature.writeTo(features);
    folder.read();
    Files.writeString(features.resolve(feature.file()), "{\"id\":");
    FolderContent content = next();
    assertEquals("1.0.0", content.candidates().get(0).version());
    assertEquals("a", content.broken().get(0).name());
    Files.delete(features.resolve(feature.file()));
    assertEquals(0, next().candidates().size());
  }

  @Test
  void aJarThatIsNoJarIsSaid() throws IOException {
    TestBundle bundle = TestBundle.of("a", "1.0.0");
    TestFeature feature = TestFeature.of("a", "1.0.0", bundle).writeTo(features);
    Files.writeString(features.resolve(bundle.jar()), "half a j");
    assertTrue(
        folder.read().candidates().get(0).problem().contains("is not a readable jar"),
        feature.file());
  }

  @Test
  void followsTheLinksOfAConfigMap() throws IOException {
    Path first = Files.createDirectories(place.resolve("..first"));
    Path second = Files.createDirectories(place.resolve("..second"));
    TestFeature.of("a", "1.0.0", TestBundle.of("a", "1.0.0")).writeTo(first);
    TestFeature.of("a", "2.0.0", TestBundle.of("a", "2.0.0")).writeTo(second);
    Path data = place.resolve("..data");
    Files.createSymbolicLink(data, first);
    Files.createSymbolicLink(
        features.resolve("feature-a.json"), data.resolve("feature-a-1.0.0.json"));
    Files.move(second.resolve("feature-a-2.0.0.json"), second.resolve("feature-a-1.0.0.json"));
    assertEquals("1.0.0", folder.read().candidates().get(0).version());
    Path swap = place.resolve("..swap");
    Files.createSymbolicLink(swap, second);
    Files.move(swap, data, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    assertEquals("2.0.0", next().candidates().get(0).version());
  }
}
