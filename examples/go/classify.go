// Asks a running server for its health and for the class of a picture, over gRPC: go run . PICTURE MODEL [ADDRESS]
//
// The messages of lcq.v1.Vision come from the server's reflection service. A program that is built for good would
// generate them from proto/vision.proto with protoc-gen-go.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const service = "lcq.v1.Vision"

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: classify PICTURE MODEL [ADDRESS]")
	}
	address := "localhost:8001"
	if len(os.Args) > 3 {
		address = os.Args[3]
	}
	if err := run(os.Args[1], os.Args[2], address); err != nil {
		log.Fatal(err)
	}
}

func run(path, model, address string) error {
	image, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if key := os.Getenv("LCQ_API_KEY"); key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "x-api-key", key)
	}
	health, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: service})
	if err != nil {
		return err
	}
	fmt.Println("health:", health.Status)
	return classify(ctx, conn, map[string]any{"model": model, "image": image, "topK": 1})
}

// classify prints the reply. The request is built from the JSON form of protobuf messages, where bytes are base64.
func classify(ctx context.Context, conn *grpc.ClientConn, request map[string]any) error {
	file, err := describe(ctx, conn)
	if err != nil {
		return err
	}
	method := file.Services().ByName("Vision").Methods().ByName("Classify")
	input, output := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if err := protojson.Unmarshal(text, input); err != nil {
		return err
	}
	if err := conn.Invoke(ctx, "/"+service+"/Classify", input, output); err != nil {
		return err
	}
	fmt.Println(protojson.Format(output))
	return nil
}

// describe asks the server for the file that declares the service.
func describe(ctx context.Context, conn *grpc.ClientConn) (protoreflect.FileDescriptor, error) {
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	defer stream.CloseSend()
	wanted := &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: wanted}); err != nil {
		return nil, err
	}
	reply, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	files := reply.GetFileDescriptorResponse().GetFileDescriptorProto()
	if len(files) == 0 {
		return nil, fmt.Errorf("no description of %s: %s", service, reply.GetErrorResponse().GetErrorMessage())
	}
	file := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(files[0], file); err != nil {
		return nil, err
	}
	return protodesc.NewFile(file, nil)
}
