package io.pipeops.agent.provision;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.feature.FeatureState;
import io.pipeops.agent.api.feature.FeatureStatus;
import io.pipeops.agent.api.kubernetes.PodEvents;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Features in a real framework: installed, switched, upgraded, and taken back. */
@Execution(ExecutionMode.CONCURRENT)
class ProvisionTest {
  private static final String LIMITS =
      "provision: {health_seconds: 3, start_seconds: 5, drain_seconds: 600}\n";

  private TestFramework framework;

  @BeforeEach
  void start(@TempDir Path folder) throws Exception {
    framework = new TestFramework(folder);
    // The limits' own bundle; here it is no bundle, so its settings come with a jar of the base.
    Files.writeString(
        framework.features.resolve("base.json"),
        "{\"id\":\"io.pipeops.agent:base:1.0.0\",\"bundles\":[\"io.pipeops.agent:limits:1.0.0\"]}");
    LimitsJar.write(framework.home.resolve("bundles/limits-1.0.0.jar"));
    framework.settings(LIMITS);
  }

  @AfterEach
  void stop() throws Exception {
    framework.close();
  }

  private TestFeature feature(String name, String version, TestBundle... bundles) {
    return TestFeature.of(name, version, bundles).writeTo(framework.features);
  }

  private TestFeature feature(String name, String version) {
    return feature(name, version, TestBundle.of(name, version));
  }

  @Test
  void installsWhatTheFolderHolds() {
    feature("alpha", "1.0.0");
    feature("beta", "1.0.0", TestBundle.of("beta", "1.0.0"), TestBundle.of("extra", "1.0.0"));
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    framework.await("beta", "1.0.0", FeatureState.ACTIVE);
    framework.awaitBundles("alpha 1.0.0", "beta 1.0.0", "extra 1.0.0");
    FeatureStatus beta = framework.status("beta", "1.0.0").orElseThrow();
    assertEquals("ACTIVE", beta.bundles().get(1).state());
    assertTrue(framework.exits.isEmpty());
  }

  @Test
  void switchesWithoutTouchingTheOthers() {
    feature("alpha", "1.0.0");
    feature("beta", "1.0.0");
    framework.start();
    framework.await("beta", "1.0.0", FeatureState.ACTIVE);
    long alpha = framework.serviceId("alpha 1.0.0");

    framework.settings(LIMITS + "features.beta.enabled: false\n");
    framework.await("beta", "1.0.0", FeatureState.DISABLED);
    framework.awaitBundles("alpha 1.0.0");

    framework.settings(LIMITS + "features:\n  beta:\n    enabled: true\n");
    framework.await("beta", "1.0.0", FeatureState.ACTIVE);
    assertEquals(alpha, framework.serviceId("alpha 1.0.0"));
  }

  @Test
  void configuresFromFeatureFileAndSettings() {
    TestFeature.of("alpha", "1.0.0", TestBundle.of("alpha", "1.0.0"))
        .configured(
            "{\"io.pipeops.agent.alpha\": {\"greeting\": \"servus\", \"limit:Integer\": 7}}")
        .writeTo(framework.features);
    feature("beta", "1.0.0");
    framework.settings(LIMITS + "alpha: {limit: 3, labels: {zone: eu}}\n");
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    framework.await("beta", "1.0.0", FeatureState.ACTIVE);
    var alpha = framework.sample(IntConsumer.class, "alpha 1.0.0").orElseThrow();
    assertEquals("servus", alpha.getProperty("greeting"));
    assertEquals(3, alpha.getProperty("limit"));
    assertEquals("zone=eu", ((String[]) alpha.getProperty("labels"))[0]);

    long beta = framework.serviceId("beta 1.0.0");
    framework.settings(LIMITS + "alpha: {limit: 4, greeting: moin}\n");
    Await.until(
        "moin",
        framework::bundles,
        () ->
            framework
                .sample(IntConsumer.class, "alpha 1.0.0")
                .filter(r -> "moin".equals(r.getProperty("greeting")))
                .isPresent());
    assertEquals(beta, framework.serviceId("beta 1.0.0"));
  }

  @Test
  void followsAMountedConfigMapAndTellsOfWhatItRefuses() throws Exception {
    feature("alpha", "1.0.0");
    feature("beta", "1.0.0");
    framework.mounted(LIMITS + "alpha: {limit: 3}\n", 1);
    Provision provision = framework.start();
    List<String> events = new CopyOnWriteArrayList<>();
    PodEvents recorder = (reason, message) -> events.add(reason + ": " + message);
    provision.bindEvents(recorder);
    framework.await("beta", "1.0.0", FeatureState.ACTIVE);
    awaitLimit(3);

    framework.mounted(LIMITS + "alpha: {limit: 4}\nfeatures.beta.enabled: false\n", 2);
    framework.await("beta", "1.0.0", FeatureState.DISABLED);
    awaitLimit(4);
    assertEquals(List.of(), events);

    framework.mounted(LIMITS + "alpha: {limit: many}\n", 3);
    Await.until("told", events::toString, () -> events.size() == 1);
    assertTrue(events.getFirst().startsWith("SettingsRefused: "), events::toString);
    assertTrue(events.getFirst().contains("alpha.limit"), events::toString);
    assertFalse(provision.settingsProblems().isEmpty());
    assertTrue(provision.settled());
    framework.mounted("alpha: [not, yaml", 4);
    Await.until("told", events::toString, () -> events.size() == 2);
    awaitLimit(4);
    framework.await("beta", "1.0.0", FeatureState.DISABLED);

    framework.mounted(LIMITS + "alpha: {limit: 5}\n", 5);
    awaitLimit(5);
    framework.await("beta", "1.0.0", FeatureState.ACTIVE);
    assertEquals(List.of(), provision.settingsProblems());
    assertEquals(2, events.size());
    provision.unbindEvents(recorder);
  }

  private void awaitLimit(int limit) {
    Await.until(
        "limit " + limit,
        framework::bundles,
        () ->
            framework
                .sample(IntConsumer.class, "alpha 1.0.0")
                .filter(r -> Integer.valueOf(limit).equals(r.getProperty("limit")))
                .isPresent());
  }

  @Test
  void upgradesAndKeepsTheNewVersion() {
    feature("alpha", "1.0.0");
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    feature("alpha", "1.1.0");
    framework.await("alpha", "1.1.0", FeatureState.ACTIVE);
    framework.awaitGone("alpha", "1.0.0");
    framework.awaitBundles("alpha 1.1.0");
  }

  @Test
  void goesBackWhenTheNewFileIsTakenAway() {
    feature("alpha", "1.0.0");
    TestFeature next = feature("alpha", "1.1.0");
    framework.start();
    framework.await("alpha", "1.1.0", FeatureState.ACTIVE);
    next.deleteFrom(framework.features);
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    framework.awaitGone("alpha", "1.1.0");
  }

  @ParameterizedTest
  @ValueSource(strings = {"ill", "throws", "hangs", "hanging check", "hanging activator"})
  void putsTheFormerVersionBack(String behaviour) {
    feature("alpha", "1.0.0");
    feature("beta", "1.0.0");
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    framework.await("beta", "1.0.0", FeatureState.ACTIVE);
    long beta = framework.serviceId("beta 1.0.0");

    feature("alpha", "1.1.0", TestBundle.of("alpha", "1.1.0").behaving(behaviour));
    framework.awaitReason("alpha", "1.1.0");
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    Await.until(
        "alpha 1.0.0 serves again",
        framework::bundles,
        () -> framework.sample(IntConsumer.class, "alpha 1.0.0").isPresent());
    framework.awaitBundles("alpha 1.0.0", "beta 1.0.0");
    assertEquals(beta, framework.serviceId("beta 1.0.0"));

    feature("alpha", "1.2.0");
    framework.await("alpha", "1.2.0", FeatureState.ACTIVE);
    assertEquals("", framework.status("alpha", "1.2.0").orElseThrow().reason());
  }

  @Test
  void firstVersionThatFailsLeavesNothing() {
    feature("alpha", "1.0.0", TestBundle.of("alpha", "1.0.0").behaving("ill"));
    feature("beta", "1.0.0");
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.FAILED);
    framework.awaitReason("alpha", "not at all");
    framework.await("beta", "1.0.0", FeatureState.ACTIVE);
    framework.awaitBundles("beta 1.0.0");
  }

  @Test
  void fallsBackToAnOlderFileAtStart() {
    feature("alpha", "1.0.0");
    feature("alpha", "1.1.0", TestBundle.of("alpha", "1.1.0").behaving("throws"));
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    framework.awaitReason("alpha", "cannot be activated today");
  }

  @Test
  void refusesAnotherContentBeforeAnythingIsTouched() throws Exception {
    feature("alpha", "1.0.0");
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    long alpha = framework.serviceId("alpha 1.0.0");

    TestBundle named = TestBundle.of("alpha", "1.1.0");
    named.with("tampered").writeTo(framework.features);
    TestFeature.write(
        framework.features.resolve("feature-alpha-1.1.0.json"),
        TestFeature.of("alpha", "1.1.0", named).json());
    framework.awaitReason("alpha", "has the digest");
    assertEquals(alpha, framework.serviceId("alpha 1.0.0"));

    // The right jar arrives: that is a change of its files, so it is tried again.
    named.writeTo(framework.features);
    framework.await("alpha", "1.1.0", FeatureState.ACTIVE);
  }

  @Test
  void refusesTheSameVersionWithAnotherContent() {
    feature("alpha", "1.0.0");
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    feature("alpha", "1.1.0", TestBundle.of("alpha", "1.0.0").with("changed"));
    framework.awaitReason("alpha", "raise its version");
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
  }

  @Test
  void keepsSharedBundles() {
    TestBundle shared = TestBundle.of("shared", "1.0.0");
    TestFeature alpha = feature("alpha", "1.0.0", TestBundle.of("alpha", "1.0.0"), shared);
    feature("beta", "1.0.0", TestBundle.of("beta", "1.0.0"), shared);
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    framework.await("beta", "1.0.0", FeatureState.ACTIVE);
    long id = framework.serviceId("shared 1.0.0");
    alpha.deleteFrom(framework.features);
    framework.awaitGone("alpha", "1.0.0");
    framework.awaitBundles("beta 1.0.0", "shared 1.0.0");
    assertEquals(id, framework.serviceId("shared 1.0.0"));
  }

  @Test
  void needsAreHeeded() {
    feature("alpha", "1.0.0");
    TestFeature.of("beta", "1.0.0", TestBundle.of("beta", "1.0.0"))
        .needing("alpha")
        .writeTo(framework.features);
    TestFeature.of("gamma", "1.0.0", TestBundle.of("gamma", "1.0.0"))
        .needing("delta")
        .writeTo(framework.features);
    TestFeature.of("delta", "1.0.0", TestBundle.of("delta", "1.0.0"))
        .needing("gamma")
        .writeTo(framework.features);
    framework.start();
    framework.await("beta", "1.0.0", FeatureState.ACTIVE);
    framework.awaitReason("gamma", "needs itself: gamma -> delta -> gamma");
    framework.settings(LIMITS + "features.alpha.enabled: false\n");
    framework.awaitReason("beta", "needs the feature alpha, which is switched off");
    framework.awaitBundles();
  }

  @Test
  void ownersOfStreamsAreReplacedSideBySide() {
    feature("alpha", "1.0.0", TestBundle.of("alpha", "1.0.0").owningStreams());
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    long id = framework.serviceId("alpha 1.0.0");
    framework.get(IntConsumer.class, "alpha 1.0.0").accept(3);

    feature("alpha", "1.1.0", TestBundle.of("alpha", "1.1.0").owningStreams());
    framework.await("alpha", "1.1.0", FeatureState.ACTIVE);
    framework.await("alpha", "1.0.0", FeatureState.DRAINING);
    assertEquals(id, framework.serviceId("alpha 1.0.0"));
    assertTrue(framework.get(BooleanSupplier.class, "alpha 1.0.0").getAsBoolean());
    assertFalse(framework.get(BooleanSupplier.class, "alpha 1.1.0").getAsBoolean());

    framework.get(IntConsumer.class, "alpha 1.0.0").accept(0);
    framework.awaitGone("alpha", "1.0.0");
    framework.awaitBundles("alpha 1.1.0");
  }

  @Test
  void takesUpAVersionThatStillDrains() {
    feature("alpha", "1.0.0", TestBundle.of("alpha", "1.0.0").owningStreams());
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    framework.get(IntConsumer.class, "alpha 1.0.0").accept(1);
    long id = framework.serviceId("alpha 1.0.0");
    TestFeature next = feature("alpha", "1.1.0", TestBundle.of("alpha", "1.1.0").owningStreams());
    framework.await("alpha", "1.0.0", FeatureState.DRAINING);
    framework.get(IntConsumer.class, "alpha 1.1.0").accept(1);

    next.deleteFrom(framework.features);
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    framework.await("alpha", "1.1.0", FeatureState.DRAINING);
    assertFalse(framework.get(BooleanSupplier.class, "alpha 1.0.0").getAsBoolean());
    assertEquals(id, framework.serviceId("alpha 1.0.0"));
    framework.get(IntConsumer.class, "alpha 1.1.0").accept(0);
    framework.awaitGone("alpha", "1.1.0");
    framework.awaitBundles("alpha 1.0.0");
  }

  @Test
  void drainsOnlyAsLongAsTheLimitAllows() {
    framework.settings(LIMITS.replace("600", "2"));
    feature("alpha", "1.0.0", TestBundle.of("alpha", "1.0.0").owningStreams());
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    framework.get(IntConsumer.class, "alpha 1.0.0").accept(1);
    feature("alpha", "1.1.0", TestBundle.of("alpha", "1.1.0").owningStreams());
    framework.await("alpha", "1.0.0", FeatureState.DRAINING);
    framework.awaitGone("alpha", "1.0.0");
  }

  @Test
  void nobodyNoticesAnUnhealthyVersionBeside() {
    feature("alpha", "1.0.0", TestBundle.of("alpha", "1.0.0").owningStreams());
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    long id = framework.serviceId("alpha 1.0.0");
    framework.get(IntConsumer.class, "alpha 1.0.0").accept(3);
    feature("alpha", "1.1.0", TestBundle.of("alpha", "1.1.0").owningStreams().behaving("ill"));
    framework.awaitReason("alpha", "not at all");
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    assertEquals(id, framework.serviceId("alpha 1.0.0"));
    assertFalse(framework.get(BooleanSupplier.class, "alpha 1.0.0").getAsBoolean());
    framework.awaitBundles("alpha 1.0.0");
  }

  @Test
  void saysWhenAFeatureIsUnwellLater() {
    feature("alpha", "1.0.0", TestBundle.of("alpha", "1.0.0").behaving("ill on demand"));
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    System.setProperty("sample.ill", "true");
    framework.await("alpha", "1.0.0", FeatureState.DEGRADED);
    System.clearProperty("sample.ill");
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
  }

  @Test
  void keepsAFeatureThatWaitsIfThereIsNoOther() {
    feature("alpha", "1.0.0", TestBundle.of("alpha", "1.0.0").behaving("waits"));
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.DEGRADED);
    long id = framework.serviceId("alpha 1.0.0");
    framework.awaitReason("alpha", "waits for something");
    System.setProperty("sample.came", "true");
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    assertEquals(id, framework.serviceId("alpha 1.0.0"));
    System.clearProperty("sample.came");
    framework.await("alpha", "1.0.0", FeatureState.DEGRADED);
    feature("alpha", "1.1.0", TestBundle.of("alpha", "1.1.0"));
    framework.await("alpha", "1.1.0", FeatureState.ACTIVE);
    feature("alpha", "1.2.0", TestBundle.of("alpha", "1.2.0").behaving("waits"));
    framework.awaitReason("alpha", "1.2.0");
    framework.await("alpha", "1.1.0", FeatureState.ACTIVE);
  }

  @Test
  void badSettingsStopTheStart() {
    framework.settings(LIMITS + "alpha: {limti: 3}\n");
    feature("alpha", "1.0.0");
    framework.start();
    Await.until("exit", framework::bundles, () -> framework.exits.equals(List.of(2)));
    framework.awaitBundles();
  }

  @Test
  void badSettingsChangeNothingWhileRunning() {
    feature("alpha", "1.0.0");
    Provision provision = framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    framework.settings(LIMITS + "features.alpha.enabled: false\nalpha: {limit: 11}\n");
    Await.until(
        "refused", provision::settingsProblems, () -> !provision.settingsProblems().isEmpty());
    assertTrue(provision.settingsProblems().get(0).contains("from 1 to 10"));
    framework.awaitBundles("alpha 1.0.0");
    framework.settings(LIMITS + "features.alpha.enabled: false\nalpha: {limit: 10}\n");
    framework.await("alpha", "1.0.0", FeatureState.DISABLED);
    assertTrue(provision.settingsProblems().isEmpty());
    assertTrue(framework.exits.isEmpty());
  }

  @Test
  void aBrokenFileHurtsOnlyItself() throws Exception {
    feature("alpha", "1.0.0");
    framework.start();
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    long alpha = framework.serviceId("alpha 1.0.0");
    Files.writeString(framework.features.resolve("feature-beta.json"), "{\n  \"id\": oops\n}");
    framework.awaitReason("beta", "feature-beta.json:2: invalid JSON");
    TestFeature.write(framework.features.resolve("feature-alpha-1.0.0.json"), "{");
    framework.awaitReason("alpha", "feature-alpha-1.0.0.json:1: invalid JSON");
    framework.await("alpha", "1.0.0", FeatureState.ACTIVE);
    assertEquals(alpha, framework.serviceId("alpha 1.0.0"));
  }
}
