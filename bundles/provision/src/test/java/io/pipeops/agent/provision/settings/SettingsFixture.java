package io.pipeops.agent.provision.settings;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A small registry as bnd would have written it, and short ways to evaluate something. */
final class SettingsFixture {
  static final Aliases ALIASES = Aliases.load();

  private SettingsFixture() {}

  static SettingRegistry registry() {
    return new SettingRegistry(settings());
  }

  static List<Setting> settings() {
    String xml =
        """
        <metatype:MetaData xmlns:metatype="http://www.osgi.org/xmlns/metatype/v1.2.0">
          <OCD id="link" name="Link">
            <AD id="url" type="String" default="" description="Address"/>
            <AD id="token" type="Password" default="" description="Token"/>
            <AD id="token.file" type="String" default="" description="Token file"/>
            <AD id="cluster.name" type="String" default="" description="Name"/>
            <AD id="labels" type="String" cardinality="2147483647" default="" description="Labels"/>
            <AD id="ping.millis" type="Long" min="50" default="10000" description="Ping"/>
            <AD id="reconnect.max.millis" type="Long" min="1" default="15000" description="Wait"/>
          </OCD>
          <OCD id="http" name="HTTP">
            <AD id="port" type="Integer" min="0" max="65535" default="8080" description="Port"/>
          </OCD>
          <OCD id="tunnel" name="Tunnel">
            <AD id="drain.seconds" type="Integer" min="0" default="10" description="Drain"/>
            <AD id="strict" type="Boolean" default="true" description="Strict"/>
            <AD id="ratio" type="Double" min="0" max="1" default="0.5" description="Ratio"/>
            <AD id="ports" type="Integer" cardinality="10" min="1" default="80,443"/>
          </OCD>
          <OCD id="logging" name="Logging">
            <AD id="level" type="String" default="info" description="Level">
              <Option label="debug" value="debug"/>
              <Option label="info" value="info"/>
              <Option label="warn" value="warn"/>
            </AD>
          </OCD>
          <OCD id="hub" name="Hub">
            <AD id="database.url" type="String" default="" description="Database"/>
            <AD id="port" type="Integer" min="0" max="65535" default="8443" description="Port"/>
          </OCD>
          <OCD id="factory" name="Factory"><AD id="x" type="String" default=""/></OCD>
          <Designate pid="io.pipeops.agent.link"><Object ocdref="link"/></Designate>
          <Designate pid="io.pipeops.agent.http"><Object ocdref="http"/></Designate>
          <Designate pid="io.pipeops.agent.tunnel"><Object ocdref="tunnel"/></Designate>
          <Designate pid="io.pipeops.agent.logging"><Object ocdref="logging"/></Designate>
          <Designate pid="io.pipeops.hub"><Object ocdref="hub"/></Designate>
          <Designate factoryPid="io.pipeops.agent.many"><Object ocdref="factory"/></Designate>
        </metatype:MetaData>
        """;
    try {
      List<Setting> all =
          new ArrayList<>(
              MetatypeReader.read(new ByteArrayInputStream(xml.getBytes(StandardCharsets.UTF_8))));
      all.add(Setting.featureSwitch("heartbeat", true));
      all.add(Setting.featureSwitch("tunnel", true));
      return all;
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
  }

  static Evaluation file(String yaml) {
    return evaluate(yaml, Map.of(), "");
  }

  static Evaluation environment(Map<String, String> variables) {
    return evaluate("", variables, "");
  }

  static Evaluation flags(String lines) {
    return evaluate("", Map.of(), lines);
  }

  static Evaluation evaluate(String yaml, Map<String, String> variables, String flags) {
    return Evaluation.of(
        registry(),
        ALIASES,
        Map.of(),
        new Sources("agent.yaml", yaml, variables, flags),
        List.of());
  }

  static Object value(Evaluation evaluation, String key) {
    if (!evaluation.good()) {
      throw new AssertionError(evaluation.problems());
    }
    return evaluation.settings().value(key).orElse(null);
  }
}
