// SPDX-License-Identifier: Apache-2.0
//
// Exports spans through the C++ gRPC library, as an application in C++ would: several calls at a
// time on one channel, plain and gzip, with deadlines.
//
//     exporter ENDPOINT CALLS SPANS_PER_CALL none|gzip
//
// Prints a line per call that failed, then the number of spans that were acknowledged.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "opentelemetry/proto/collector/trace/v1/trace_service.grpc.pb.h"

namespace collector = opentelemetry::proto::collector::trace::v1;

namespace {

void SetAttribute(opentelemetry::proto::common::v1::KeyValue* pair, const std::string& key,
                  const std::string& value) {
    pair->set_key(key);
    pair->mutable_value()->set_string_value(value);
}

// A request whose ids differ from those of every other call.
collector::ExportTraceServiceRequest MakeRequest(unsigned call, unsigned span_count) {
    collector::ExportTraceServiceRequest request;
    auto* resource_spans = request.add_resource_spans();
    SetAttribute(resource_spans->mutable_resource()->add_attributes(), "service.name", "exporter-cc");
    auto* scope_spans = resource_spans->add_scope_spans();
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
    for (unsigned index = 0; index < span_count; ++index) {
        auto* span = scope_spans->add_spans();
        std::string id(16, '\1');
        for (int byte = 0; byte < 4; ++byte) {
            id[byte + 1] = static_cast<char>(call >> (8 * byte));
            id[byte + 9] = static_cast<char>(index >> (8 * byte));
        }
        span->set_trace_id(id);
        span->set_span_id(id.substr(8));
        span->set_name("call");
        span->set_start_time_unix_nano(now_ns);
        span->set_end_time_unix_nano(now_ns + 1000);
        SetAttribute(span->add_attributes(), "http.request.method", "GET");
    }
    return request;
}

struct Call {
    grpc::ClientContext context;
    grpc::Status status;
    collector::ExportTraceServiceResponse response;
    std::unique_ptr<grpc::ClientAsyncResponseReader<collector::ExportTraceServiceResponse>> reader;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return 64;
    const unsigned call_count = std::strtoul(argv[2], nullptr, 10);
    const unsigned span_count = std::strtoul(argv[3], nullptr, 10);
    auto stub = collector::TraceService::NewStub(
        grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
    grpc::CompletionQueue queue;
    std::vector<std::unique_ptr<Call>> calls;
    for (unsigned index = 0; index < call_count; ++index) {
        auto call = std::make_unique<Call>();
        call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
        if (std::string(argv[4]) == "gzip") {
            call->context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
        }
        call->reader = stub->AsyncExport(&call->context, MakeRequest(index, span_count), &queue);
        call->reader->Finish(&call->response, &call->status, call.get());
        calls.push_back(std::move(call));
    }
    unsigned acknowledged = 0;
    for (unsigned index = 0; index < call_count; ++index) {
        void* tag = nullptr;
        bool is_ok = false;
        if (!queue.Next(&tag, &is_ok)) return 1;
        const auto* call = static_cast<Call*>(tag);
        if (call->status.ok() && !call->response.has_partial_success()) {
            acknowledged += span_count;
        } else {
            std::cout << "failed: " << call->status.error_code() << " " << call->status.error_message()
                      << "\n";
        }
    }
    std::cout << "acknowledged: " << acknowledged << "\n";
    return 0;
}
