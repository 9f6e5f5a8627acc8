package io.pipeops.agent.provision.settings;

import static io.pipeops.agent.provision.settings.SettingsFixture.environment;
import static io.pipeops.agent.provision.settings.SettingsFixture.evaluate;
import static io.pipeops.agent.provision.settings.SettingsFixture.file;
import static io.pipeops.agent.provision.settings.SettingsFixture.flags;
import static io.pipeops.agent.provision.settings.SettingsFixture.value;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EvaluationTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "tunnel: {drain_seconds: 7}",
        "tunnel:\n  drain.seconds: 7",
        "tunnel:\n  drain:\n    seconds: 7",
        "tunnel.drain_seconds: 7",
        "Tunnel.Drain-Seconds: 7",
        "tunnel: {drain_seconds: '7'}"
      })
  void allSpellingsOfAKeyAreEqual(String yaml) {
    assertEquals(7, value(file(yaml), "tunnel.drain_seconds"));
  }

  @Test
  void everySourceOverridesTheOneBefore() {
    Map<String, Map<String, List<String>>> feature =
        Map.of("io.pipeops.agent.http", Map.of("port", List.of("1")));
    for (int given = 0; given < 4; given++) {
      Sources sources =
          new Sources(
              "agent.yaml",
              given > 0 ? "http.port: 2" : "",
              given > 1 ? Map.of("AGENT_HTTP_PORT", "3") : Map.of(),
              given > 2 ? "http.port=4" : "");
      Evaluation evaluation =
          Evaluation.of(
              SettingsFixture.registry(), SettingsFixture.ALIASES, feature, sources, List.of());
      assertEquals(given + 1, value(evaluation, "http.port"));
    }
  }

  @Test
  void onlyWhatWasGivenIsInAConfiguration() {
    EffectiveSettings settings = file("http: {port: 9}").settings();
    assertEquals(Map.of("port", 9), settings.properties("io.pipeops.agent.http"));
    assertEquals(Map.of(), settings.properties("io.pipeops.agent.tunnel"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "link: {labels: {zone: eu, team: blue}}",
        "link: {labels: [zone=eu, team=blue]}",
        "link: {labels: 'zone=eu, team=blue'}",
        "link.labels.zone: eu\nlink.labels.team: blue",
        "agent: {labels: {zone: eu, team: blue}}"
      })
  void severalValuesAreAListOrAMap(String yaml) {
    assertArrayEquals(
        new String[] {"zone=eu", "team=blue"}, (String[]) value(file(yaml), "link.labels"));
  }

  @Test
  void numbersMayBeSeveralToo() {
    assertArrayEquals(
        new Integer[] {1, 2}, (Integer[]) value(file("tunnel: {ports: [1, 2]}"), "tunnel.ports"));
  }

  @Test
  void featuresAreSwitchedByEverySource() {
    assertEquals(
        false, value(file("features.heartbeat.enabled: false"), "features.heartbeat.enabled"));
    assertEquals(
        List.of(false),
        environment(Map.of("AGENT_FEATURES_HEARTBEAT_ENABLED", "false"))
            .settings()
            .enabled("heartbeat")
            .stream()
            .toList());
    assertEquals(
        true, flags("features.heartbeat.enabled=true").settings().enabled("heartbeat").get());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "tunnel: {drain_second: 5} | agent.yaml:1: unknown key \"tunnel.drain_second\" (value \"5\");"
            + " did you mean \"tunnel.drain_seconds\"?",
        "http: {port: 70000} | agent.yaml:1: http.port: \"70000\" is out of range; allowed: a whole"
            + " number from 0 to 65535",
        "http: {port: abc} | agent.yaml:1: http.port: \"abc\" is not allowed; allowed: a whole number"
            + " from 0 to 65535",
        "logging: {level: loud} | agent.yaml:1: logging.level: \"loud\" is not allowed; allowed:"
            + " debug, info, warn",
        "tunnel: {strict: yes} | agent.yaml:1: tunnel.strict: \"yes\" is not allowed; allowed: true or"
            + " false",
        "tunnel: {ratio: 2} | agent.yaml:1: tunnel.ratio: \"2\" is out of range; allowed: a number"
            + " from 0 to 1",
        "tunnel: {ratio: NaN} | agent.yaml:1: tunnel.ratio: \"NaN\" is not allowed; allowed: a number"
            + " from 0 to 1",
        "http: {port: [1]} | agent.yaml:1: http.port takes one value: a whole number from 0 to 65535",
        "link: {token: your-token-here} | agent.yaml:1: link.token: \"***\" is a placeholder; put the"
            + " real value there; allowed: text",
        "link: {url: api.example.com} | agent.yaml:1: link.url: \"api.example.com\" is not an address"
            + " such as https://api.example.com (http, https, ws or wss); allowed: text",
        "pipeops: {tokn: s3cr3t} | agent.yaml:1: unknown key \"pipeops.tokn\" (value \"s3cr3t\"); did"
            + " you mean \"pipeops.token\"?",
        "link: {tokens: s3cr3t} | agent.yaml:1: unknown key \"link.tokens\" (value \"***\"); did you"
            + " mean \"link.token\"?",
        "timeouts: {websocket_ping: 10x} | agent.yaml:1: timeouts.websocket_ping (link.ping_millis):"
            + " \"10x\" is not a duration such as 500ms, 30s or 5m; allowed: a whole number of at"
            + " least 50",
        "htp: {port: 1} | agent.yaml:1: unknown key \"htp\"; did you mean \"http\"?",
        "link: [a] | agent.yaml:1: \"link\" is a section and needs keys below it",
      })
  void saysWhatIsWrong(String yaml, String message) {
    assertEquals(List.of(message), file(yaml).problems());
  }

  @Test
  void saysTheLine() {
    assertEquals(
        List.of(
            "agent.yaml:4: unknown key \"http.prt\" (value \"1\"); did you mean \"http.port\"?"),
        file("# comment\n\nhttp:\n  prt: 1\n").problems());
    assertTrue(file("a: [1\nb: 2\n").problems().get(0).startsWith("agent.yaml:2: invalid YAML:"));
    assertEquals(
        List.of("agent.yaml:3: the key \"port\" stands in line 2 already"),
        file("http:\n  port: 1\n  port: 2\n").problems());
    assertTrue(
        file("link.token: abc\npipeops:\n  token: def\n")
            .problems()
            .get(0)
            .startsWith(
                "agent.yaml:3: \"pipeops.token\" sets link.token, which \"link.token\" sets"));
  }

  @Test
  void reportsEveryProblemAtOnce() {
    Evaluation evaluation =
        evaluate("x: 1\nhttp.port: y", Map.of("AGENT_HUB_PORT", "z"), "tunnel.strict=w\nq=1");
    assertEquals(5, evaluation.problems().size());
    assertEquals(
        "environment variable AGENT_HUB_PORT: AGENT_HUB_PORT (hub.port): \"z\" is not allowed;"
            + " allowed: a whole number from 0 to 65535",
        evaluation.problems().get(3));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "~", "# nothing\n", "---\n", "link:\n", "http: {port: }", "link: {url: null}"})
  void nothingIsNoProblem(String yaml) {
    Evaluation evaluation = file(yaml);
    assertEquals(List.of(), evaluation.problems());
    assertEquals(0, evaluation.settings().size());
  }

  @Test
  void theExistingAgentsFileStartsThisOne() {
    Evaluation evaluation =
        file(
            """
            agent:
              cluster_name: prod
              port: 8081
              labels: {zone: eu}
              heartbeat_interval_connected: 30
              compatibility:
                ingress: {switch_existing_to_traefik: true}
            pipeops:
              api_url: https://api.example.com
              token: abc123
              timeout: 30s
              reconnect: {enabled: true, max_attempts: 10}
            timeouts: {websocket_ping: 10s, websocket_reconnect_max: 1m, helm_install: 5m}
            upgrade: {auto: true}
            """);
    assertEquals(List.of(), evaluation.problems());
    assertEquals("prod", value(evaluation, "link.cluster_name"));
    assertEquals(8081, value(evaluation, "http.port"));
    assertEquals("https://api.example.com", value(evaluation, "link.url"));
    assertEquals(10_000L, value(evaluation, "link.ping_millis"));
    assertEquals(60_000L, value(evaluation, "link.reconnect_max_millis"));
    assertTrue(
        evaluation.withoutEffect().stream().anyMatch(n -> n.startsWith("upgrade.auto")),
        evaluation.withoutEffect().toString());
    assertTrue(
        evaluation.withoutEffect().stream().anyMatch(n -> n.startsWith("pipeops.timeout")),
        evaluation.withoutEffect().toString());
  }

  @Test
  void theExistingAgentsVariablesAndFlagsStartThisOne() {
    Evaluation evaluation =
        evaluate(
            "",
            Map.of(
                "PIPEOPS_TOKEN",
                "abc",
                "PIPEOPS_CLUSTER_NAME",
                "prod",
                "AGENT_PORT",
                "8082",
                "ENABLE_INGRESS_SYNC",
                "true",
                "TIMEOUTS_WEBSOCKET_PING",
                "5s"),
            "flag:pipeops-url=https://x.example.com\nflag:log-level=warning\nflag:in-cluster=true");
    assertEquals("abc", value(evaluation, "link.token"));
    assertEquals("prod", value(evaluation, "link.cluster_name"));
    assertEquals(8082, value(evaluation, "http.port"));
    assertEquals(5000L, value(evaluation, "link.ping_millis"));
    assertEquals("https://x.example.com", value(evaluation, "link.url"));
    assertEquals("warn", value(evaluation, "logging.level"));
    assertEquals(List.of("ENABLE_INGRESS_SYNC", "--in-cluster"), evaluation.withoutEffect());
  }

  @Test
  void unknownVariablesOnlyWarnAndServiceLinksAreIgnored() {
    Evaluation evaluation =
        environment(
            Map.of(
                "AGENT_PORT", "tcp://10.0.0.1:80",
                "HUB_PORT", "tcp://10.0.0.1:80",
                "HUB_SERVICE_HOST", "10.0.0.1",
                "HUB_SERVICE_PORT_HTTP", "80",
                "PIPEOPS_AGENT_PORT_8080_TCP_ADDR", "10.0.0.1",
                "AGENT_PORT_8080_TCP", "tcp://10.0.0.1:8080",
                "PIPEOPS_TOKN", "secret",
                "PIPEOPS_MEMORY_PROFILE", "small",
                "PIPEOPS_JAVA_OPTIONS", "-Xmx64m",
                "PATH", "/bin"));
    assertEquals(List.of(), evaluation.problems());
    assertEquals(
        List.of("environment variable PIPEOPS_TOKN: unknown, ignored; did you mean PIPEOPS_TOKEN?"),
        evaluation.warnings());
    assertEquals(0, evaluation.settings().size());
  }

  @Test
  void ourOwnVariableCountsMoreThanAnOldName() {
    Evaluation evaluation =
        environment(Map.of("PIPEOPS_TOKEN", "old", "AGENT_LINK_TOKEN", "own", "HUB_PORT", "1"));
    assertEquals("own", value(evaluation, "link.token"));
    assertEquals(1, value(evaluation, "hub.port"));
    assertEquals(1, evaluation.warnings().size());
    assertFalse(evaluation.warnings().toString().contains("old"));
  }

  @Test
  void unknownFlagsAreProblems() {
    assertEquals(
        List.of(
            "flag --clustr-name: unknown flag \"clustr-name\" (value \"x\"); did you mean"
                + " \"cluster-name\"?"),
        flags("flag:clustr-name=x").problems());
    assertEquals(
        List.of("flag --set http.port: has no value; write key=value"),
        flags("http.port").problems());
  }

  @Test
  void aRequiredSettingMayHaveAlternatives() {
    List<String> required = List.of("link.url", "link.token|link.token_file");
    Sources none = new Sources("agent.yaml", "", Map.of(), "");
    Evaluation missing =
        Evaluation.of(
            SettingsFixture.registry(), SettingsFixture.ALIASES, Map.of(), none, required);
    assertEquals(2, missing.problems().size());
    assertEquals(
        "settings: link.token or link.token_file is required and not set; give it in the settings"
            + " file, as AGENT_LINK_TOKEN or with --set link.token=…",
        missing.problems().get(1));
    Evaluation given =
        Evaluation.of(
            SettingsFixture.registry(),
            SettingsFixture.ALIASES,
            Map.of(),
            none.withFile("link: {url: 'https://a', token_file: /t}"),
            required);
    assertEquals(List.of(), given.problems());
  }

  @Test
  void oddTimesOfTheExistingAgentAreBounded() {
    Evaluation evaluation = file("timeouts: {websocket_ping: 10ms}");
    assertEquals(50L, value(evaluation, "link.ping_millis"));
    assertEquals(
        List.of(
            "agent.yaml:1: timeouts.websocket_ping: \"10ms\" is out of range, link.ping_millis=50 is"
                + " used"),
        evaluation.warnings());
  }

  @Test
  void addressesOfDatabasesAreAddressesToo() {
    assertEquals(List.of(), file("hub: {database_url: 'jdbc:postgresql://h/n'}").problems());
  }

  @Test
  void showsNoSecrets() {
    Evaluation evaluation =
        evaluate("link: {token: abc123, url: 'https://me:pw@a.example.com'}", Map.of(), "");
    assertEquals(
        List.of("link.token=***", "link.url=https://***@a.example.com"),
        evaluation.settings().masked());
  }
}
