package io.pipeops.agent.forward;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.osgi.service.metatype.annotations.Option;

@ObjectClassDefinition(
    name = "Forward",
    description = "TCP and UDP of the control plane to services, and HTTP to the cluster API.")
@interface ForwardConfig {
  @AttributeDefinition(description = "Whether TCP services can be reached")
  boolean tcp() default true;

  @AttributeDefinition(description = "Whether UDP services can be reached")
  boolean udp() default true;

  @AttributeDefinition(
      description =
          "Whether a hub may send the cluster API's requests as streams, which is faster than JSON"
              + " and carries every kind of upgrade")
  boolean api() default true;

  @AttributeDefinition(
      description =
          "Who requests to the cluster API are that carry no Authorization header: agent for the"
              + " agent itself, whose token then never leaves the cluster, or none",
      options = {
        @Option(label = "agent", value = "agent"),
        @Option(label = "none", value = "none")
      })
  String api_credentials() default "agent";

  @AttributeDefinition(
      description =
          "Which services can be reached, each as service.namespace:port; * stands for any text or"
              + " port, and 5000-5999 for a range of ports")
  String[] allowed_targets() default {"*.*:*"};

  @AttributeDefinition(
      description = "Which services cannot be reached although they are allowed, in the same form")
  String[] denied_targets() default {};

  @AttributeDefinition(
      description =
          "Whether a service may lead to a loopback, link-local or metadata address; for tests only")
  boolean local_addresses() default false;

  @AttributeDefinition(
      description = "How many TCP connections may be open at a time; more are refused",
      min = "1",
      max = "100000")
  int tcp_connections() default 1000;

  @AttributeDefinition(
      description = "How many UDP clients may be served at a time; more are refused",
      min = "1",
      max = "100000")
  int udp_sessions() default 1000;

  @AttributeDefinition(
      description = "How many streams to the cluster API may be open at a time; more are refused",
      min = "1",
      max = "100000")
  int api_streams() default 512;

  @AttributeDefinition(
      description = "How long a TCP connection may be silent in both directions; 0 for ever",
      min = "0")
  int tcp_idle_seconds() default 0;

  @AttributeDefinition(
      description = "How long a UDP client is remembered after its last datagram",
      min = "1",
      max = "86400")
  int udp_idle_seconds() default 300;

  @AttributeDefinition(
      description = "How long a service may take to accept a connection",
      min = "1",
      max = "300")
  int connect_seconds() default 30;

  @AttributeDefinition(
      description =
          "Memory, in MiB, that data of JSON tunnels may take that waits for slow services; 0 means"
              + " an eighth of the heap",
      min = "0",
      max = "4096")
  int memory_mib() default 0;

  @AttributeDefinition(
      description =
          "How long connections may go on when the feature is stopped, before they are cut",
      min = "0",
      max = "3600")
  int drain_seconds() default 10;
}
