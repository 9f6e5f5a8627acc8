package io.pipeops.agent.provision;

import io.pipeops.agent.provision.features.BundleDigest;
import io.pipeops.agent.provision.sample.HangingActivator;
import io.pipeops.agent.provision.sample.Sample;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;

/**
 * A bundle made on the fly.
 *
 * @param name symbolic name, artifact and PID without the common root
 * @param version its version
 * @param behaviour what its component does; see {@link Sample}
 * @param streams whether it owns streams
 * @param content anything that makes the jar another one
 */
public record TestBundle(
    String name, String version, String behaviour, boolean streams, String content) {
  public static TestBundle of(String name, String version) {
    return new TestBundle(name, version, "well", false, "");
  }

  public TestBundle behaving(String how) {
    return new TestBundle(name, version, how, streams, content);
  }

  public TestBundle owningStreams() {
    return new TestBundle(name, version, behaviour, true, content);
  }

  public TestBundle with(String other) {
    return new TestBundle(name, version, behaviour, streams, other);
  }

  public String symbolicName() {
    return "io.pipeops.agent." + name;
  }

  public String jar() {
    return symbolicName() + "-" + version + ".jar";
  }

  public void writeTo(Path folder) {
    try {
      Files.createDirectories(folder);
      Path temporary = Files.createTempFile(folder, "new", ".tmp");
      Files.write(temporary, bytes());
      Files.move(
          temporary,
          folder.resolve(jar()),
          StandardCopyOption.REPLACE_EXISTING,
          StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  public String sha256() {
    return BundleDigest.of(bytes());
  }

  private byte[] bytes() {
    Manifest manifest = new Manifest();
    Attributes main = manifest.getMainAttributes();
    main.put(Attributes.Name.MANIFEST_VERSION, "1.0");
    main.putValue("Bundle-ManifestVersion", "2");
    main.putValue("Bundle-SymbolicName", symbolicName());
    main.putValue("Bundle-Version", version);
    main.putValue("Service-Component", "OSGI-INF/sample.xml");
    main.putValue(
        "Import-Package",
        "org.apache.felix.hc.api,io.pipeops.agent.api.feature,org.osgi.framework");
    if (behaviour.equals("hanging activator")) {
      main.putValue("Bundle-Activator", HangingActivator.class.getName());
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JarOutputStream jar = new JarOutputStream(bytes)) {
      entry(jar, "META-INF/MANIFEST.MF", manifest);
      entry(jar, "OSGI-INF/sample.xml", component());
      entry(jar, "OSGI-INF/metatype/sample.xml", metatype());
      entry(jar, "content.txt", content);
      entry(jar, Sample.class);
      entry(jar, HangingActivator.class);
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    return bytes.toByteArray();
  }

  private static JarEntry fixed(String name) {
    JarEntry entry = new JarEntry(name);
    entry.setTime(1_767_225_600_000L);
    return entry;
  }

  private static void entry(JarOutputStream jar, String name, Manifest manifest)
      throws IOException {
    jar.putNextEntry(fixed(name));
    manifest.write(jar);
    jar.closeEntry();
  }

  private static void entry(JarOutputStream jar, String name, String text) throws IOException {
    jar.putNextEntry(fixed(name));
    jar.write(text.getBytes(StandardCharsets.UTF_8));
    jar.closeEntry();
  }

  private static void entry(JarOutputStream jar, Class<?> type) throws IOException {
    String name = type.getName().replace('.', '/') + ".class";
    jar.putNextEntry(fixed(name));
    try (InputStream in = type.getClassLoader().getResourceAsStream(name)) {
      in.transferTo(jar);
    }
    jar.closeEntry();
  }

  private String component() {
    return """
    <scr:component xmlns:scr="http://www.osgi.org/xmlns/scr/v1.4.0" name="%1$s" immediate="true"
        init="1" configuration-pid="%1$s" configuration-policy="require">
      <implementation class="%2$s"/>
      <property name="behaviour" value="%3$s"/>
      <property name="sample" value="%4$s %5$s"/>
      <property name="hc.name" value="%4$s"/>
      <property name="hc.tags" value="feature"/>
      <service>
        <provide interface="org.apache.felix.hc.api.HealthCheck"/>
        <provide interface="java.util.function.IntConsumer"/>
        <provide interface="java.util.function.BooleanSupplier"/>
        %6$s
      </service>
    </scr:component>
    """
        .formatted(
            symbolicName(),
            Sample.class.getName(),
            behaviour,
            name,
            version,
            streams ? "<provide interface=\"io.pipeops.agent.api.feature.StreamOwner\"/>" : "");
  }

  private String metatype() {
    return """
    <metatype:MetaData xmlns:metatype="http://www.osgi.org/xmlns/metatype/v1.2.0">
      <OCD id="c" name="c">
        <AD id="greeting" type="String" default="hello" description="What it says"/>
        <AD id="limit" type="Integer" default="5" min="1" max="10" description="A limit"/>
        <AD id="labels" type="String" cardinality="2147483647" default="" description="Labels"/>
        <AD id="access.token" type="Password" default="" description="A token"/>
      </OCD>
      <Designate pid="%s"><Object ocdref="c"/></Designate>
    </metatype:MetaData>
    """
        .formatted(symbolicName());
  }
}
