package io.pipeops.agent.tunnel;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

@ObjectClassDefinition(
    name = "Tunnel",
    description = "Control-plane requests to the cluster API and to services in the cluster.")
@interface TunnelConfig {
  @AttributeDefinition(
      description = "How long streams may go on when the feature is stopped, before they are cut.",
      min = "0",
      max = "3600")
  int drain_seconds() default 10;

  @AttributeDefinition(
      description = "How many requests are worked on at the same time; further ones wait.",
      min = "1",
      max = "10000")
  int max_streams() default 256;

  @AttributeDefinition(
      description = "How many further requests may wait, in order; beyond that they fail at once.",
      min = "0",
      max = "100000")
  int max_waiting() default 1024;

  @AttributeDefinition(
      description =
          "How long a target may take to accept the connection and to begin its answer; watches and"
              + " followed logs may take longer.",
      min = "1",
      max = "3600")
  int answer_seconds() default 30;

  @AttributeDefinition(
      description =
          "Limit of a whole request that names none itself and does not ask for a streamed answer.",
      min = "1",
      max = "86400")
  int request_seconds() default 120;

  @AttributeDefinition(
      description =
          "How long a streamed answer without limit of its own may be silent; watches and followed"
              + " logs may be silent for ever.",
      min = "1",
      max = "86400")
  int idle_seconds() default 300;

  @AttributeDefinition(
      description =
          "Largest body, in MiB, of an answer that cannot be streamed; a larger one is refused.",
      min = "1",
      max = "48")
  int buffered_mib() default 16;

  @AttributeDefinition(
      description =
          "How much of one request's streamed body, in KiB, may wait for a slow target. A peer that"
              + " asks for it is told how much it may send; from others a body that does not fit"
              + " fails its request.",
      min = "64",
      max = "65536")
  int inbox_kib() default 8192;

  @AttributeDefinition(
      description =
          "Memory, in MiB, that all waiting bodies may take together; 0 means a quarter of the"
              + " heap.",
      min = "0",
      max = "4096")
  int memory_mib() default 0;

  @AttributeDefinition(
      description = "Largest message, in MiB, of a WebSocket in either direction.",
      min = "1",
      max = "48")
  int socket_mib() default 16;

  @AttributeDefinition(
      description =
          "How often a WebSocket's target is pinged; one that has been silent for three of these is"
              + " closed after three more.",
      min = "1",
      max = "3600")
  int ping_seconds() default 30;

  @AttributeDefinition(
      description =
          "Whether a valid %XX in a request's path is passed on as it is, for control planes that"
              + " send encoded paths.")
  boolean encoded_paths() default false;

  @AttributeDefinition(
      description =
          "Whether requests that carry no Authorization header are made as the agent itself; only"
              + " for development outside a cluster.")
  boolean agent_credentials() default false;
}
