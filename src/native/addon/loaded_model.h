// A model with the settings of its ops.
#pragma once

#include <memory>
#include <string>

#include "../ops/domain.h"
#include "../ort/model.h"

namespace lcq {

struct LoadedModel {
  // In this order: the model's ops refer to the settings until they are gone.
  std::unique_ptr<ops::OpSettings> settings;
  std::unique_ptr<ort::Model> model;
};

/// `kernels` names an instruction set; empty means the best one.
LoadedModel load_model(const ort::ModelSource& source, const ort::ModelOptions& options,
                       const std::string& kernels);

}  // namespace lcq
